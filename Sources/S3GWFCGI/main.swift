import ArgumentParser
import CommandLineSupport

/// `s3gw-fcgi`: the pool of request processes behind nginx.
struct PoolCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "s3gw-fcgi", abstract: "The S3 gateway's FastCGI pool.", subcommands: [CheckConfig.self])
}

CommandLineProgram.run(PoolCommand.self)
