import ArgumentParser
import CommandLineSupport

/// `s3gw-fcgi`: the pool of request processes behind nginx.
struct PoolCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "s3gw-fcgi", abstract: "The S3 gateway's FastCGI pool.", version: CommandLineProgram.version,
        subcommands: [RunPool.self, CheckConfig.self, RequestProcess.self], defaultSubcommand: RunPool.self)
}

CommandLineProgram.run(PoolCommand.self)
