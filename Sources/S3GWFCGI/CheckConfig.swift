import ArgumentParser
import CommandLineSupport
import Core

/// `s3gw-fcgi check-config`: says whether a pool could start, and with what.
struct CheckConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check the configuration and print each value with its origin; exit code 2 when it is wrong.")

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Print the table of keys as Markdown instead, as in docs/configuration.md.")
    var reference = false

    func run() throws {
        guard !reference else {
            print(ConfigurationKey.markdown)
            return
        }
        let settings = try options.load()
        let problems = settings.problemsOnDisk()
        guard problems.isEmpty else {
            CommandLineProgram.complain(ConfigurationError(problems).description)
            throw CommandLineProgram.usageError
        }
        do throws(S3Error) {
            _ = try World.open(settings, environment: ProcessEnvironment.variables()).snapshot()
            try ListenSocket.requireDirectory(of: settings.socketPath)
        } catch {
            CommandLineProgram.complain(error.cause ?? error.message)
            throw CommandLineProgram.usageError
        }
        for setting in settings.settings {
            print("\(setting.key.name) = \(setting.value ?? "")  # \(setting.origin)")
        }
    }
}
