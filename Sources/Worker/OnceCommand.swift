import ArgumentParser
import CommandLineSupport
import Core
private import Foundation

/// `s3gw-worker once`.
struct OnceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "once", abstract: "Does what is due now, prints one line, and ends.",
        discussion: """
            Exit code 0: nothing is left to do. 1: jobs are left, because they failed and wait for their next attempt,
            were given up, or belong to another worker. 3: the work could not be done at all.
            """)

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let configuration = try options.load()
        Signals.block()
        try WorkerSetup.startLog(configuration)
        let setup = try WorkerSetup(configuration)
        let worker = Worker(world: setup.world, settings: setup.settings, stop: setup.stop)
        let service = WorkerThread(worker, stop: setup.stop, drainTimeout: configuration.drainTimeoutMilliseconds)
        let left: [(kind: JobKind, state: JobState, count: Int, oldest: Timestamp?)]
        do throws(S3Error) {
            try service.wait { worker throws(S3Error) in
                try worker.drain()
            } reload: {
            }
            left = try setup.world.database.read { sql throws(S3Error) in try sql.jobCounts() }
        } catch {
            throw WorkerSetup.fail(error)
        }
        let waiting = left.filter { $0.state != .dead }.reduce(0) { $0 + $1.count }
        let dead = left.filter { $0.state == .dead }.reduce(0) { $0 + $1.count }
        print("\(worker.counts.current.text); left: \(waiting) waiting, \(dead) given up")
        if waiting + dead > 0 { throw ExitCode(1) }
    }
}
