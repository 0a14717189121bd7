import CommandLineSupport
import Core
import Glibc
import Logging

/// The small parent of the request processes: it holds the socket, and starts, watches and replaces them.
///
/// One thread, one loop: wait for a signal or the next deadline, then look at everything. It never touches a request.
///
/// HUP replaces all processes by new ones with the configuration read anew, once each of those said that it is ready;
/// when they fail, the old ones stay. QUIT, TERM and INT finish the requests in hand and stop. USR1 opens the log again.
struct PoolMaster {
    /// How long a new process may take until it is ready.
    private static let readyDeadlineMilliseconds = 30_000
    /// This many crashes within the window stop the pool: it would only burn the machine.
    private static let crashLimit = 10
    private static let crashWindowMilliseconds = 60_000
    /// The pause before a crashed process is started again: none, then doubling between these.
    private static let firstBackOffMilliseconds = 100
    private static let longestBackOffMilliseconds = 5000
    /// How often a starting process is asked whether it is ready.
    private static let readinessPollMilliseconds = 5
    /// The request processes' own drain deadline comes first; the master kills what is left after this grace.
    private static let killGraceMilliseconds = 1000
    /// Exit status of a pool that gave up.
    private static let failedStatus: Int32 = 3

    private let log = Logger(label: "s3gw.pool")
    private let binary: String
    private let listen: ListenSocket
    /// Our end of the pipe whose EOF tells the request processes that we are gone.
    private let liveness: (readEnd: Int32, writeEnd: Int32)
    private let reload: () throws(ConfigurationError) -> Configuration

    private var configuration: Configuration
    private var generation = 1
    private var children: [ChildProcess] = []
    /// When the missing processes of the current generation are to be started.
    private var respawnTimes: [Int] = []
    private var crashTimes: [Int] = []
    /// The configuration of the generation that is to take over.
    private var successor: Configuration?
    private var isReloadWanted = false
    private var exitStatus: Int32?
    private var hasBeenReady = false

    init(
        binary: String, listen: ListenSocket, liveness: (readEnd: Int32, writeEnd: Int32), configuration: Configuration,
        reload: @escaping () throws(ConfigurationError) -> Configuration
    ) {
        self.binary = binary
        self.listen = listen
        self.liveness = liveness
        self.configuration = configuration
        self.reload = reload
    }

    /// Runs the pool until it is told to stop or gives up; returns the exit status.
    mutating func run() -> Int32 {
        for _ in 0..<configuration.processes { spawn(configuration, generation) }
        while true {
            take(Signals.next(milliseconds: waitMilliseconds()))
            reap()
            noteReadiness()
            expire()
            beginReload()
            finishReload()
            respawn()
            if let exitStatus, children.isEmpty { return exitStatus }
        }
    }

    private mutating func take(_ signal: Int32?) {
        switch signal {
        case SIGHUP: isReloadWanted = true
        case SIGQUIT, SIGTERM, SIGINT: stop(status: 0)
        case SIGUSR1: reopenLogs()
        default: return
        }
    }

    /// The time until something is due; a second at most, so that nothing rests on one signal.
    private func waitMilliseconds() -> Int {
        if children.contains(where: \.isStarting) { return Self.readinessPollMilliseconds }
        let now = Clock.milliseconds()
        return respawnTimes.reduce(1000) { min($0, max($1 - now, 0)) }
    }

    // MARK: Children that end

    private mutating func reap() {
        while true {
            var status: Int32 = 0
            let pid = unsafe waitpid(-1, &status, WNOHANG)
            guard pid > 0 else { return }
            guard let index = children.firstIndex(where: { $0.pid == pid }) else { continue }
            let child = children.remove(at: index)
            child.closePipe()
            ended(child, ExitReason(waitStatus: status))
        }
    }

    private mutating func ended(_ child: ChildProcess, _ reason: ExitReason) {
        let metadata: Logger.Metadata = [
            "child": "\(child.pid)", "generation": .stringConvertible(child.generation), "reason": "\(reason)",
        ]
        guard !child.isDraining else {
            log.info("a request process has drained", metadata: metadata)
            return
        }
        log.error("a request process ended by itself", metadata: metadata)
        guard child.generation == generation else {
            abandonReload("one of its processes ended: \(reason)")
            return
        }
        guard exitStatus == nil else { return }
        guard hasBeenReady || reason != .exited(CommandLineProgram.usageError.rawValue) else {
            log.critical("the pool cannot start with this configuration")
            stop(status: CommandLineProgram.usageError.rawValue)
            return
        }
        noteCrash()
    }

    private mutating func noteCrash() {
        let now = Clock.milliseconds()
        crashTimes = crashTimes.filter { now - $0 < Self.crashWindowMilliseconds } + [now]
        guard crashTimes.count < Self.crashLimit else {
            log.critical(
                "the pool stops: too many crashes",
                metadata: ["crashes": .stringConvertible(crashTimes.count), "seconds": .stringConvertible(60)])
            stop(status: Self.failedStatus)
            return
        }
        let doublings = crashTimes.count - 2
        let pause = doublings < 0 ? 0 : min(Self.firstBackOffMilliseconds << doublings, Self.longestBackOffMilliseconds)
        respawnTimes.append(now + pause)
    }

    // MARK: Children that start

    private mutating func spawn(_ configuration: Configuration, _ generation: Int) {
        let child = ChildProcess.spawn(
            binary: binary, configuration: configuration, generation: generation, listen: listen.descriptor,
            liveness: liveness.readEnd, deadline: Clock.milliseconds() + Self.readyDeadlineMilliseconds)
        if let child {
            children.append(child)
            return
        }
        log.error("cannot start \(binary): \(SystemError.text(errno))")
        if generation == self.generation { noteCrash() } else { abandonReload("its processes cannot be started") }
    }

    private mutating func respawn() {
        let now = Clock.milliseconds()
        let due = respawnTimes.filter { $0 <= now }.count
        respawnTimes.removeAll { $0 <= now }
        guard exitStatus == nil else { return }
        for _ in 0..<due { spawn(configuration, generation) }
    }

    private mutating func noteReadiness() {
        for index in children.indices where children[index].becameReady() {
            log.debug("a request process is ready", metadata: ["child": "\(children[index].pid)"])
        }
        guard !hasBeenReady, children.count == configuration.processes, children.allSatisfy(\.isReady) else { return }
        hasBeenReady = true
        log.notice(
            "the pool is ready",
            metadata: [
                "processes": .stringConvertible(configuration.processes),
                "threads": .stringConvertible(configuration.threads),
            ])
    }

    /// Kills what is past its deadline; `reap` meets the rest of it.
    private mutating func expire() {
        let now = Clock.milliseconds()
        for child in children {
            switch child.state {
            case .starting(_, let deadline) where deadline <= now, .draining(let deadline) where deadline <= now:
                log.error("a request process is past its deadline and is killed", metadata: ["child": "\(child.pid)"])
                kill(child.pid, SIGKILL)
            default: continue
            }
        }
    }

    // MARK: Replacement

    private mutating func beginReload() {
        guard isReloadWanted, successor == nil, exitStatus == nil, hasBeenReady else { return }
        isReloadWanted = false
        do throws(ConfigurationError) {
            let fresh = try reload()
            let problems = fresh.problemsOnDisk()
            guard problems.isEmpty else { throw ConfigurationError(problems) }
            successor = fresh
            log.notice("a new generation starts", metadata: ["generation": .stringConvertible(generation + 1)])
            for _ in 0..<fresh.processes where successor != nil { spawn(fresh, generation + 1) }
        } catch {
            log.error("the new configuration is refused and the old one stays", metadata: ["error": "\(error)"])
        }
    }

    private mutating func finishReload() {
        guard let successor else { return }
        let next = children.filter { $0.generation == generation + 1 }
        guard next.count == successor.processes, next.allSatisfy(\.isReady) else { return }
        drainAll { [generation] in $0.generation == generation }
        generation += 1
        configuration = successor
        self.successor = nil
        respawnTimes = []
        Log.set(level: configuration.logLevel)
        log.notice("the new generation has taken over", metadata: ["generation": .stringConvertible(generation)])
    }

    /// Keeps the old generation; processes of the new one may already hold requests, so they drain too.
    private mutating func abandonReload(_ reason: String) {
        guard successor != nil else { return }
        successor = nil
        log.error("the new generation failed and the old one stays", metadata: ["error": "\(reason)"])
        drainAll { [generation] in $0.generation > generation }
    }

    // MARK: The end

    private mutating func stop(status: Int32) {
        guard exitStatus == nil else { return }
        exitStatus = status
        successor = nil
        respawnTimes = []
        log.notice("the pool stops")
        listen.unlinkPath()
        drainAll { _ in true }
    }

    private mutating func drainAll(where isMeant: (ChildProcess) -> Bool) {
        let deadline = Clock.milliseconds() + configuration.drainTimeoutMilliseconds + Self.killGraceMilliseconds
        for index in children.indices where isMeant(children[index]) { children[index].drain(deadline: deadline) }
    }

    private func reopenLogs() {
        do throws(ConfigurationError) { try Log.reopen() } catch { log.error("\(error)") }
        for child in children { kill(child.pid, SIGUSR1) }
    }
}

/// How a process ended.
enum ExitReason: Equatable, CustomStringConvertible {
    case exited(Int32)
    case killed(signal: Int32)

    /// Reads the status of `waitpid`, as `WIFEXITED` and `WTERMSIG` do.
    init(waitStatus: Int32) {
        self = waitStatus & 0x7F == 0 ? .exited(waitStatus >> 8 & 0xFF) : .killed(signal: waitStatus & 0x7F)
    }

    var description: String {
        switch self {
        case .exited(let status): "exit status \(status)"
        case .killed(let signal): "signal \(signal)"
        }
    }
}
