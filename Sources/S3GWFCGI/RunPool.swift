import ArgumentParser
import CommandLineSupport
import Core
import Glibc
import Logging

/// `s3gw-fcgi run`: the pool master.
struct RunPool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the pool: a master and its request processes.",
        discussion: """
            Listens on descriptor 0 when that is a listening socket, else on the unix path of --socket.
            HUP takes a new configuration and a new binary without losing a request, QUIT and TERM finish the
            requests in hand and stop, USR1 opens the log file again.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Check the configuration, as check-config does, and exit.")
    var check = false

    func run() throws {
        let settings = try options.load()
        let problems = settings.problemsOnDisk()
        guard problems.isEmpty else { throw refused(ConfigurationError(problems)) }
        guard !check else { return }
        Signals.block()
        do throws(ConfigurationError) { try Log.start(settings) } catch { throw refused(error) }
        let status: Int32
        do throws(ListenSocketError) { status = try runMaster(settings) } catch {
            CommandLineProgram.complain(error.description)
            throw ExitCode(3)
        }
        throw ExitCode(status)
    }

    private func runMaster(_ settings: Configuration) throws(ListenSocketError) -> Int32 {
        guard let binary = Self.ownBinary() else { throw ListenSocketError(description: "/proc is not mounted") }
        guard let liveness = ChildProcess.pipe() else {
            throw ListenSocketError(description: "no descriptors are left")
        }
        let listen = try ListenSocket.open(path: settings.socketPath)
        try Self.writePID(settings.pidFile)
        let options = options
        var master = PoolMaster(
            binary: binary, listen: listen, liveness: liveness, configuration: settings,
            reload: { () throws(ConfigurationError) in try options.reload() })
        let status = master.run()
        if let pidFile = settings.pidFile { unsafe unlink(pidFile) }
        return status
    }

    private func refused(_ error: ConfigurationError) -> ExitCode {
        CommandLineProgram.complain(error.description)
        return CommandLineProgram.usageError
    }

    /// The path this program was started from: after an upgrade, the new binary stands there.
    private static func ownBinary() -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func writePID(_ path: String?) throws(ListenSocketError) {
        guard let path else { return }
        let opened = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard opened >= 0 else {
            throw ListenSocketError(description: "cannot write \(path): \(SystemError.text(errno))")
        }
        let text = Array("\(getpid())\n".utf8)
        unsafe text.withUnsafeBytes { _ = unsafe write(opened, $0.baseAddress, $0.count) }
        close(opened)
    }
}
