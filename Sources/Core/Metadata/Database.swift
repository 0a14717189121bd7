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
        let connection = try pool.lease()
        defer { pool.giveBack(connection, isClean: false) }
        try connection.begin(writing: true)
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
    private let path: String
    private let idle: Mutex<[SQLiteConnection]>

    init(path: String, first: SQLiteConnection) {
        self.path = path
        idle = Mutex([first])
    }

    func lease() throws(S3Error) -> SQLiteConnection {
        if let connection = idle.withLock({ $0.popLast() }) { return connection }
        return try SQLiteConnection(path: path)
    }

    /// Takes a connection back, outside of any transaction; a broken one is closed instead.
    ///
    /// `isClean`: every statement that ran on it came to its end.
    func giveBack(_ connection: SQLiteConnection, isClean: Bool) {
        if !isClean { connection.rollBack() }
        if connection.isBroken || connection.isInTransaction { return }
        idle.withLock { idle in
            if idle.count < Database.maximumIdleConnections { idle.append(connection) }
        }
    }
}
