import ArgumentParser
import CommandLineSupport
import Core
private import Foundation

/// What both commands need, made from the configuration.
struct WorkerSetup {
    let world: World
    let settings: Worker.Settings
    let stop: StopSignal

    /// Exit code 3: something that has nothing to do with the command line failed.
    static let failed = ExitCode(3)

    /// What is wrong is written to standard error; the thrown exit code is 3.
    init(_ configuration: Configuration) throws(ExitCode) {
        do throws(S3Error) {
            world = try World.open(configuration, environment: ProcessInfo.processInfo.environment)
            // A spool directory that takes no file would fail every copy: better to say so at once.
            _ = try SpoolFile(in: configuration.spoolDirectory)
            stop = try StopSignal()
        } catch {
            throw Self.fail(error)
        }
        let process = ProcessInfo.processInfo
        var settings = Worker.Settings(
            concurrency: configuration.workerConcurrency,
            pollIntervalMilliseconds: configuration.workerPollIntervalMilliseconds,
            leaseSeconds: configuration.leaseSeconds, spoolDirectory: configuration.spoolDirectory,
            owner: "\(Signals.hostName):\(process.processIdentifier)",
            abandonedUploadSeconds: Int64(configuration.abandonedUploadDays) * 86_400)
        settings.healthCheckIntervalMilliseconds = configuration.healthCheckIntervalMilliseconds
        settings.replicationGraceMilliseconds = configuration.replicationGraceMilliseconds
        settings.reconcileIntervalMilliseconds = configuration.reconcileIntervalMilliseconds
        settings.reconcileGraceMilliseconds = configuration.reconcileGraceMilliseconds
        settings.lifecycleIntervalMilliseconds = configuration.lifecycleIntervalMilliseconds
        settings.scrubBytesPerDay = Int64(configuration.scrubMebibytesPerDay) << 20
        self.settings = settings
    }

    static func startLog(_ configuration: Configuration) throws(ExitCode) {
        do throws(ConfigurationError) { try Log.start(configuration) } catch {
            CommandLineProgram.complain(error.description)
            throw CommandLineProgram.usageError
        }
    }

    /// Writes the cause and returns the exit code.
    static func fail(_ error: S3Error) -> ExitCode {
        CommandLineProgram.complain("s3gw-worker: \(error.cause ?? error.message)")
        return failed
    }
}
