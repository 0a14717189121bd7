import ArgumentParser
import CommandLineSupport
import Core

/// How a command ends when it does not end well.
enum Outcome: Error {
    /// Exit code 1: not found, refused, unhealthy.
    case no(String)
    /// Exit code 2: this cannot be meant.
    case usage(String)
    /// Exit code 3: it could not be done or found out.
    case failed(String)

    private static let noCode = ExitCode(1)
    private static let failedCode = ExitCode(3)

    /// Runs `body`; writes what goes wrong to standard error, with `--json` as an object too, and throws the exit code
    /// instead.
    static func translated(_ options: StoreOptions, _ body: () throws -> Void) throws {
        do { try body() } catch let outcome as Outcome {
            throw outcome.exitCode(options)
        } catch let error as S3Error {
            throw Outcome(error).exitCode(options)
        } catch let error as PolicyError {
            throw Outcome.no("The policy is not valid: \(error)").exitCode(options)
        } catch let error as BackendError {
            throw Outcome.no("\(error.backend): \(error.cause)").exitCode(options)
        }
    }

    /// A refusal of the gateway is a no; what is the gateway's own fault is a failure.
    init(_ error: S3Error) {
        let text = [error.message, error.cause].compactMap(\.self).joined(separator: " ")
        self = error.code.status < 500 ? .no(text) : .failed(error.cause ?? text)
    }

    private func exitCode(_ options: StoreOptions) -> ExitCode {
        let (text, code) =
            switch self {
            case .no(let text): (text, Self.noCode)
            case .usage(let text): (text, CommandLineProgram.usageError)
            case .failed(let text): (text, Self.failedCode)
            }
        CommandLineProgram.complain("s3gw: \(text)")
        options.showError(text, code)
        return code
    }
}
