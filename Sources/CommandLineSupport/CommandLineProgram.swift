package import ArgumentParser
private import Foundation

/// What our three programs do alike at their outermost edge.
package enum CommandLineProgram {
    /// Exit code 2: the command line or the configuration is wrong.
    package static let usageError = ExitCode(2)

    /// What `--version` prints.
    ///
    /// The form is that of semver.org; it becomes a release's number in the commit that dates it in CHANGELOG.md.
    package static let version = "0.1.0-dev"

    /// Parses the command line, runs `command` and ends the process: 0, 2 for a wrong command line, or what the
    /// command threw as `ExitCode`.
    package static func run(_ command: (some ParsableCommand).Type) -> Never {
        do {
            var parsed = try command.parseAsRoot()
            try parsed.run()
            exit(0)
        } catch {
            let code = command.exitCode(for: error)
            let message = command.fullMessage(for: error)
            guard code != .success else {
                if !message.isEmpty { StandardOutput.write(Array((message + "\n").utf8)) }
                exit(0)
            }
            if !message.isEmpty { complain(message) }
            exit(code == .validationFailure ? usageError.rawValue : code.rawValue)
        }
    }

    /// Writes one message to standard error; where that is closed or full, nobody is left to be told.
    package static func complain(_ message: String) {
        _ = StandardOutput.writeAll(Array((message + "\n").utf8), to: standardError)
    }

    private static let standardError: Int32 = 2
}
