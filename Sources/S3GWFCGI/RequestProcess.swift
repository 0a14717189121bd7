import ArgumentParser
import CommandLineSupport
import Core
import Glibc
import Logging

/// `s3gw-fcgi request-process`: one process of the pool; only the master starts it.
///
/// Main waits for signals; K threads answer requests; one more thread watches whether the master lives.
struct RequestProcess: ParsableCommand {
    static let commandName = "request-process"
    static let configuration = CommandConfiguration(commandName: commandName, shouldDisplay: false)

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        Signals.block()
        Signals.prepareWake()
        let settings = try options.load()
        guard ListenSocket.isListening(ChildProcess.Descriptor.listen) else {
            throw ValidationError("request-process is started by the pool master only; use s3gw-fcgi run")
        }
        do throws(ConfigurationError) { try Log.start(settings) } catch {
            CommandLineProgram.complain(error.description)
            throw CommandLineProgram.usageError
        }
        let log = Logger(label: "s3gw.requests")
        guard FastCGISlot.prepareLibrary() else {
            log.critical("libfcgi cannot be initialised")
            throw ExitCode(3)
        }
        let world = try openWorld(settings, log)
        let gateway = Gateway(world: world, failuresPerMinute: settings.failedAuthenticationsPerMinute)
        let health = HealthThread(world: world)
        guard health.start() else { throw ExitCode(3) }
        let threads = try startThreads(settings, gateway, log)
        let watcher = Thread.start { Self.watchMaster() }
        guard watcher != nil else { throw ExitCode(3) }
        Self.reportReady()
        Self.waitForStop(threads, gateway, log)
        let cut = threads.stop(timeoutMilliseconds: settings.drainTimeoutMilliseconds)
        gateway.tellSuppressedFailures(atEnd: true)
        guard cut == 0 else {
            log.error("requests were cut at the drain deadline", metadata: ["requests": .stringConvertible(cut)])
            // Threads still use what static destructors would take down.
            _exit(3)
        }
        // A check that hangs is not worth waiting for.
        if !health.stop() { _exit(0) }
    }

    private func openWorld(_ settings: Configuration, _ log: Logger) throws -> World {
        do throws(S3Error) {
            return try World.open(settings, environment: ProcessEnvironment.variables())
        } catch {
            let cause = error.cause ?? error.message
            log.critical("the gateway cannot be opened", metadata: ["cause": "\(cause)"])
            if settings.logFile != nil { CommandLineProgram.complain(cause) }
            // The master of a pool that was never ready takes this status for a mistake that no new try can heal.
            throw CommandLineProgram.usageError
        }
    }

    private func startThreads(_ settings: Configuration, _ gateway: Gateway, _ log: Logger) throws -> RequestThreads {
        let sites = SiteParameters.Defaults(region: settings.region)
        let threads = RequestThreads()
        for _ in 0..<settings.threads {
            guard threads.start(gateway: gateway, sites: sites, spool: settings.spoolDirectory) else {
                log.critical("cannot start a thread", metadata: ["error": "\(SystemError.text(errno))"])
                throw ExitCode(3)
            }
        }
        return threads
    }

    /// Tells the master, by one byte, that requests are being answered.
    private static func reportReady() {
        var byte: UInt8 = 1
        _ = unsafe write(ChildProcess.Descriptor.readiness, &byte, 1)
        close(ChildProcess.Descriptor.readiness)
    }

    /// Returns when this process is told to finish.
    private static func waitForStop(_ threads: RequestThreads, _ gateway: Gateway, _ log: Logger) {
        while true {
            threads.tick()
            gateway.tellSuppressedFailures()
            switch Signals.next(milliseconds: AcceptTurn.patienceMilliseconds) {
            case SIGQUIT, SIGTERM: return
            case SIGUSR1:
                do throws(ConfigurationError) { try Log.reopen() } catch { log.error("\(error)") }
            default: continue
            }
        }
    }

    /// Drains this process when its master is gone: nobody else would ever stop it.
    private static func watchMaster() {
        var pipe = pollfd(fd: ChildProcess.Descriptor.liveness, events: Int16(POLLIN), revents: 0)
        while unsafe poll(&pipe, 1, -1) <= 0 {}
        kill(getpid(), SIGQUIT)
    }
}
