import ArgumentParser
import CommandLineSupport
import Core
import Logging

/// `s3gw-worker run`.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Does jobs until it is told to stop.",
        discussion: """
            TERM and INT: finish the jobs in hand, at most for drain-timeout; a job that is cut short is done again by
            another worker. HUP: read the configuration again (log-level and log-file; the rest needs a restart).
            USR1: open the log file again.
            """)

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let configuration = try options.load()
        Signals.block()
        try WorkerSetup.startLog(configuration)
        let setup = try WorkerSetup(configuration)
        let log = Logger(label: "s3gw.worker")
        log.info(
            "worker begins",
            metadata: ["owner": "\(setup.settings.owner)", "concurrency": "\(setup.settings.concurrency)"])
        let worker = Worker(world: setup.world, settings: setup.settings, stop: setup.stop)
        let thread = WorkerThread(worker, stop: setup.stop, drainTimeout: configuration.drainTimeoutMilliseconds)
        do throws(S3Error) {
            try thread.wait { worker throws(S3Error) in
                try worker.run()
            } reload: {
                reload(configuration, log)
            }
        } catch {
            throw WorkerSetup.fail(error)
        }
        log.info("worker ends")
    }

    /// A configuration that does not read changes nothing.
    private func reload(_ running: Configuration, _ log: Logger) {
        do throws(ExitCode) {
            let fresh = try options.load()
            Log.set(level: fresh.logLevel)
            do throws(ConfigurationError) { try Log.reopen() } catch { log.error("\(error.description)") }
            let changed = zip(running.settings, fresh.settings)
                .filter { $0.value != $1.value && $0.key.name != "log-level" }.map(\.0.key.name)
            log.notice(
                "configuration read again",
                metadata: changed.isEmpty ? [:] : ["needsRestart": "\(changed.joined(separator: ", "))"])
        } catch {
            log.error("the new configuration is wrong; the old one stays")
        }
    }
}
