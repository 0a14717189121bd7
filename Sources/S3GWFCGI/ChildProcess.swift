import CommandLineSupport
import Core
import Glibc

/// One request process, as its master sees it.
struct ChildProcess {
    /// The descriptors a request process finds by number.
    enum Descriptor {
        static let listen: Int32 = 0
        static let readiness: Int32 = 3
        static let liveness: Int32 = 4
    }

    enum State {
        /// Until its readiness pipe says so, or the deadline (milliseconds of `Clock`) passes.
        case starting(pipe: Int32, deadline: Int)
        case ready
        /// Told to finish; killed at the deadline.
        case draining(deadline: Int)
    }

    let pid: pid_t
    let generation: Int
    var state: State

    var isStarting: Bool {
        if case .starting = state { return true }
        return false
    }

    var isDraining: Bool {
        if case .draining = state { return true }
        return false
    }

    var isReady: Bool {
        if case .ready = state { return true }
        return false
    }

    /// Starts `binary request-process` with the socket, a readiness pipe and the liveness pipe of its master.
    ///
    /// The configuration travels in the environment, so that a process which is respawned later has the one its
    /// generation was started with, whatever stands in the file by then. Returns nil and sets `errno` on failure.
    static func spawn(
        binary: String, configuration: Configuration, generation: Int, listen: Int32, liveness: Int32, deadline: Int
    ) -> ChildProcess? {
        guard let (readEnd, writeEnd) = pipe() else { return nil }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawn_file_actions_adddup2(&actions, listen, Descriptor.listen)
        unsafe posix_spawn_file_actions_adddup2(&actions, writeEnd, Descriptor.readiness)
        unsafe posix_spawn_file_actions_adddup2(&actions, liveness, Descriptor.liveness)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        var arguments = unsafe cStrings(["s3gw-fcgi", RequestProcess.commandName])
        var variables = unsafe cStrings(environment(for: configuration))
        defer { unsafe (arguments + variables).forEach { unsafe free($0) } }
        var pid: pid_t = 0
        let code = unsafe posix_spawn(&pid, binary, &actions, nil, &arguments, &variables)
        close(writeEnd)
        guard code == 0 else {
            close(readEnd)
            errno = code
            return nil
        }
        return ChildProcess(pid: pid, generation: generation, state: .starting(pipe: readEnd, deadline: deadline))
    }

    /// Asks a starting process, without waiting, whether it is ready; true once it has said so.
    mutating func becameReady() -> Bool {
        guard case .starting(let pipe, _) = state else { return false }
        var byte: UInt8 = 0
        guard unsafe read(pipe, &byte, 1) == 1 else { return false }
        close(pipe)
        state = .ready
        return true
    }

    /// Tells the process to finish what it has and go.
    mutating func drain(deadline: Int) {
        guard !isDraining else { return }
        closePipe()
        state = .draining(deadline: deadline)
        kill(pid, SIGQUIT)
    }

    func closePipe() {
        if case .starting(let pipe, _) = state { close(pipe) }
    }

    /// Makes a pipe whose ends no child inherits by accident, and whose read end does not block.
    static func pipe() -> (readEnd: Int32, writeEnd: Int32)? {
        var ends: [Int32] = [-1, -1]
        guard unsafe Glibc.pipe(&ends) == 0 else { return nil }
        let moved = ends.map { fcntl($0, F_DUPFD_CLOEXEC, ListenSocket.firstOwnDescriptor) }
        for end in ends { close(end) }
        guard moved[0] >= 0, moved[1] >= 0 else { return nil }
        _ = fcntl(moved[0], F_SETFL, O_NONBLOCK)
        return (moved[0], moved[1])
    }

    /// Copies `texts` into a list that ends in a null pointer; the caller frees each.
    private static func cStrings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
        var list: [UnsafeMutablePointer<CChar>?] = unsafe []
        for text in texts { unsafe list.append(strdup(text)) }
        unsafe list.append(nil)
        return unsafe list
    }

    /// A request makes and frees hundreds of small pieces of memory: glibc then keeps as many for each thread as that, instead
    /// of seven of each size (glibc manual, "Memory Allocation Tunables").
    private static let allocatorVariable = "GLIBC_TUNABLES"
    private static let allocatorSetting = "glibc.malloc.tcache_count=64"

    private static func environment(for configuration: Configuration) -> [String] {
        var variables = ProcessEnvironment.variables()
        for key in ConfigurationKey.all { variables[key.environmentName] = nil }
        variables.merge(configuration.environment) { _, ours in ours }
        variables[Configuration.fileVariable] = "/dev/null"
        if variables[allocatorVariable] == nil { variables[allocatorVariable] = allocatorSetting }
        return variables.map { "\($0.key)=\($0.value)" }
    }
}
