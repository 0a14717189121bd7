private import Glibc
private import Synchronization

/// The metadata database of one process: a pool of connections, reads on a snapshot each, writes in shared commits.
///
/// Open it after `fork`, never before: SQLite connections do not survive one.
package final class Database: Sendable {
    /// Connections kept for the next request; more are opened when more threads ask at once, and closed again.
    package static let maximumIdleConnections = 32

    package let path: String
    private let pool: ConnectionPool
    private let commits: CommitQueue

    private init(path: String, first: SQLiteConnection) {
        self.path = path
        let pool = ConnectionPool(path: path, first: first)
        self.pool = pool
        commits = CommitQueue { group in commitTogether(group, on: pool) }
    }

    /// Opens a database that `create` made.
    ///
    /// Throws `ServiceUnavailable` whose cause says what to do when it is missing, older or newer than this program.
    package static func open(path: String) throws(S3Error) -> Database {
        let connection = try SQLiteConnection(path: path)
        try Migrations.requireCurrent(connection)
        return Database(path: path, first: connection)
    }

    /// Opens the database, making the file (mode 0600) or bringing an older schema up to date.
    package static func create(path: String) throws(S3Error) -> Database {
        try SQLiteConnection.createFile(at: path)
        let connection = try SQLiteConnection(path: path)
        try Migrations.apply(to: connection, at: .now())
        return Database(path: path, first: connection)
    }

    /// Throws `ServiceUnavailable` while the database's file is not where it belongs, and turns to the file that is there
    /// now when it is another one.
    ///
    /// SQLite itself goes on with the file that it opened, wherever that is: a write into it would be lost.
    package func checkPlace() throws(S3Error) { try pool.checkPlace() }

    /// Runs `body` on one consistent snapshot.
    ///
    /// Throws what `body` throws, `ServiceUnavailable` when the database is locked for too long, or `InternalError`
    /// when it cannot be read.
    package func read<T>(_ body: (any SQLConnection) throws(S3Error) -> T) throws(S3Error) -> T {
        let connection = try pool.lease()
        var isClean = false
        defer { pool.giveBack(connection, isClean: isClean) }
        try connection.begin(writing: false)
        let value = try body(connection)
        try connection.commit()
        isClean = true
        return value
    }

    // hot: every request asks for the generation, and every read for one version.
    /// Runs `body`, which is one statement and so has a snapshot of its own; throws what `read` throws.
    func readOnce<T>(_ body: (any SQLConnection) throws(S3Error) -> T) throws(S3Error) -> T {
        let connection = try pool.lease()
        var isClean = false
        defer { pool.giveBack(connection, isClean: isClean) }
        let value = try body(connection)
        isClean = true
        return value
    }

    /// Runs `body` alone among all writers and returns when what it wrote is durable.
    ///
    /// When `body` throws, what it wrote is undone and nothing else is.
    ///
    /// `body` may run on another thread while this one waits; it must not begin another write. A failure of the
    /// commit itself (`InternalError`, `ServiceUnavailable`) leaves open whether a crash right after it keeps the write.
    package func write<T>(_ body: (any SQLConnection) throws(S3Error) -> T) throws(S3Error) -> T {
        var outcome: T?
        let failure = withoutActuallyEscaping(body) { body in
            commits.submit { connection in
                do throws(S3Error) {
                    outcome = try body(connection)
                    return nil
                } catch {
                    return error
                }
            }
        }
        if let failure { throw failure }
        guard let outcome else { preconditionFailure("a write was neither run nor refused") }
        return outcome
    }
}

/// Runs a group of writes in one transaction, each in a savepoint of its own, and sets the failures.
private func commitTogether(_ writes: [CommitQueue.Write], on pool: ConnectionPool) {
    do throws(S3Error) {
        try pool.checkPlace()
        let connection = try pool.lease()
        defer { pool.giveBack(connection, isClean: false) }
        try pool.beginWriting(connection)
        for write in writes {
            try connection.run("SAVEPOINT one_write")
            write.failure = write.body(connection)
            guard connection.isInTransaction else {
                // A full disk or an I/O error has undone the whole transaction, the others' writes included.
                throw write.failure ?? S3Error(.internalError, cause: "SQLite left the transaction")
            }
            if write.failure != nil { try connection.run("ROLLBACK TO SAVEPOINT one_write") }
            try connection.run("RELEASE SAVEPOINT one_write")
        }
        try connection.commit()
    } catch {
        for write in writes where write.failure == nil { write.failure = error }
    }
}

/// Idle connections, the one used last on top because its page cache is warm.
private final class ConnectionPool: Sendable {
    private struct State {
        var idle: [SQLiteConnection]
        /// The file that the connections are of.
        var file: FileIdentity?
    }

    private let path: String
    private let state: Mutex<State>
    /// True while another process keeps the write lock for longer than a statement waits.
    private let isLockedAway = Atomic<Bool>(false)

    init(path: String, first: SQLiteConnection) {
        self.path = path
        state = Mutex(State(idle: [first], file: FileIdentity(path: path)))
    }

    func lease() throws(S3Error) -> SQLiteConnection {
        if let connection = state.withLock({ $0.idle.popLast() }) { return connection }
        return try SQLiteConnection(path: path)
    }

    /// Takes a connection back, outside of any transaction; a broken one, or one of another file, is closed instead.
    ///
    /// `isClean`: every statement that ran on it came to its end.
    func giveBack(_ connection: SQLiteConnection, isClean: Bool) {
        if !isClean { connection.rollBack() }
        if connection.isBroken || connection.isInTransaction { return }
        state.withLock { state in
            guard state.idle.count < Database.maximumIdleConnections, connection.file == state.file else { return }
            state.idle.append(connection)
        }
    }

    func checkPlace() throws(S3Error) {
        guard let file = FileIdentity(path: path) else {
            throw S3Error(.serviceUnavailable, cause: "the database \(path) is not in its place")
                .header("Retry-After", "1")
        }
        state.withLock { state in
            guard state.file != file else { return }
            state.file = file
            state.idle.removeAll()
        }
    }

    /// Waits for the write lock; after a wait that was in vain, the next ones are short until one is not.
    func beginWriting(_ connection: SQLiteConnection) throws(S3Error) {
        connection.isImpatient = isLockedAway.load(ordering: .relaxed)
        defer { connection.isImpatient = false }
        do throws(S3Error) { try connection.begin(writing: true) } catch {
            isLockedAway.store(error.code == .serviceUnavailable, ordering: .relaxed)
            throw error
        }
        isLockedAway.store(false, ordering: .relaxed)
    }
}

/// Which file a path names: another one may be put in its place.
struct FileIdentity: Equatable {
    private let device: UInt
    private let inode: UInt

    init?(path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
    }
}
