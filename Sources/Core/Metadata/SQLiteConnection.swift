private import CSQLite
private import Glibc

/// One SQLite connection with its prepared statements.
///
/// Opened with SQLITE_OPEN_NOMUTEX: SQLite then promises safety as long as one thread at a time uses it, which
/// `Database` keeps by leasing it. That is why it may be `@unchecked Sendable`.
@safe package final class SQLiteConnection: SQLConnection, @unchecked Sendable {
    private let handle: OpaquePointer
    private let path: String
    /// True after a failure of the disk or of SQLite itself: the connection is then closed, not used again.
    package private(set) var isBroken = false
    /// The file that was opened.
    let file: FileIdentity?
    /// Whether a statement waits for another process for `impatientMilliseconds` only.
    var isImpatient = false
    /// By the address of the literal, which lives as long as the process.
    private var statements: [UnsafePointer<UInt8>: SQLiteStatement] = unsafe [:]

    /// How long a statement waits for another process before it fails with `ServiceUnavailable`.
    package static let busyTimeoutMilliseconds = 5_000
    /// The same once such a wait was in vain: whoever has the lock is not about to give it back.
    static let impatientMilliseconds = 200
    private static let journalPauseMilliseconds = 10
    /// Page cache of one connection, in KiB.
    ///
    /// No memory map: an I/O error under one is a SIGBUS, not an error.
    private static let cacheKiB = 2_048
    /// WAL pages that make a commit write them back: fewer, larger write-backs than the default of 1,000.
    private static let checkpointPages = 4_000
    /// What a WAL file that once grew is cut back to.
    private static let journalLimitBytes = 64 << 20

    /// Makes an empty file that only its owner can read, unless there is one.
    static func createFile(at path: String) throws(S3Error) {
        let file = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            let reason = SystemError.text(errno)
            let problem = DatabaseFile.directoryProblem(path).map { "; \($0)" } ?? ""
            throw S3Error(
                .serviceUnavailable,
                cause: "cannot create the database \(path): \(reason)\(problem)")
        }
        close(file)
    }

    /// Opens the database file, with `synchronous=FULL` in WAL mode.
    ///
    /// Throws `ServiceUnavailable` or `InternalError`.
    package init(path: String) throws(S3Error) {
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX
        var opened: OpaquePointer?
        let code = unsafe sqlite3_open_v2(path, &opened, flags, nil)
        guard let opened = unsafe opened else {
            throw S3Error(.internalError, cause: "cannot open the database \(path): no memory")
        }
        unsafe handle = opened
        self.path = path
        file = FileIdentity(path: path)
        guard code == SQLITE_OK else {
            let words = unsafe String(cString: sqlite3_errmsg(opened))
            let reason = DatabaseFile.problem(path) ?? words
            throw S3Error(.serviceUnavailable, cause: "cannot open the database \(path): \(reason)")
        }
        unsafe sqlite3_extended_result_codes(handle, 1)
        unsafe sqlite3_busy_handler(handle, waitForOtherProcess, Unmanaged.passUnretained(self).toOpaque())
        try enterWAL()
        try script(
            """
            PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
            PRAGMA cache_size = -\(Self.cacheKiB); PRAGMA wal_autocheckpoint = \(Self.checkpointPages);
            PRAGMA journal_size_limit = \(Self.journalLimitBytes); PRAGMA trusted_schema = OFF
            """)
        #if S3GW_PLANTED_BUGS
            if PlantedBug.synchronousNormal.isOn { try script("PRAGMA synchronous = NORMAL") }
        #endif
    }

    /// Turns WAL mode on, which only the first connection of a database has to do.
    ///
    /// Of two that do it at once each holds what the other waits for: SQLite then refuses without asking the busy
    /// handler, and so the wait is here.
    private func enterWAL() throws(S3Error) {
        var waitedMilliseconds = 0
        while true {
            do throws(S3Error) { return try script("PRAGMA journal_mode = WAL") } catch {
                guard error.code == .serviceUnavailable, waitedMilliseconds < Self.busyTimeoutMilliseconds else {
                    throw error
                }
            }
            usleep(UInt32(Self.journalPauseMilliseconds * 1_000))
            waitedMilliseconds += Self.journalPauseMilliseconds
        }
    }

    deinit {
        for unsafe(_, statement) in unsafe statements { statement.finalize() }
        unsafe sqlite3_close_v2(handle)
    }

    package var dialect: SQLDialect { .sqlite }

    /// True between BEGIN and COMMIT or ROLLBACK; SQLite leaves a transaction by itself after some failures.
    package var isInTransaction: Bool { unsafe sqlite3_get_autocommit(handle) == 0 }

    package func statement(_ sql: StaticString) throws(S3Error) -> any SQLStatement {
        let address = unsafe sql.utf8Start
        if let statement = unsafe statements[address], !statement.isRunning { return statement }
        let statement = unsafe try SQLiteStatement(sql.description, of: self, handle)
        if unsafe statements[address] == nil { unsafe statements[address] = statement }
        return statement
    }

    package func statement(made sql: String) throws(S3Error) -> any SQLStatement {
        unsafe try SQLiteStatement(sql, of: self, handle)
    }

    package func script(_ sql: String) throws(S3Error) {
        let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code) }
    }

    func hasTable(_ name: String) throws(S3Error) -> Bool {
        try has("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1", .text(name))
    }

    /// Returns what a PRAGMA of this connection says.
    package func setting(_ pragma: String) throws(S3Error) -> String {
        let statement = unsafe try SQLiteStatement("PRAGMA \(pragma)", of: self, handle)
        defer { statement.finish() }
        return try statement.next() ? statement.text(0) : ""
    }

    /// Begins a transaction: one snapshot for reading, or the write lock at once for writing.
    package func begin(writing: Bool) throws(S3Error) {
        if writing { try run("BEGIN IMMEDIATE") } else { try run("BEGIN") }
    }

    package func commit() throws(S3Error) { try run("COMMIT") }

    /// Leaves whatever transaction is open; a failure means that there was none.
    package func rollBack() {
        for unsafe(_, statement) in unsafe statements { statement.finish() }
        if isInTransaction { unsafe sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
    }

    /// Translates SQLite's result codes: what may pass by itself is 503, what needs an operator is 500.
    fileprivate func failure(_ code: Int32) -> S3Error {
        let reason = unsafe String(cString: sqlite3_errmsg(handle))
        let cause = "SQLite result \(code): \(reason)"
        switch code & 0xff {
        case SQLITE_BUSY, SQLITE_LOCKED:
            return S3Error(.serviceUnavailable, cause: cause).header("Retry-After", "1")
        case SQLITE_FULL, SQLITE_CANTOPEN, SQLITE_IOERR, SQLITE_READONLY, SQLITE_PROTOCOL:
            isBroken = true
            let problem = DatabaseFile.problem(path).map { "; the database \(path): \($0)" } ?? ""
            return S3Error(.serviceUnavailable, cause: cause + problem).header("Retry-After", "1")
        case SQLITE_CONSTRAINT, SQLITE_INTERRUPT: break
        default: isBroken = true
        }
        return S3Error(.internalError, cause: cause)
    }

    /// How one prepared statement reaches its rows, for tests.
    package struct Plan {
        package let sql: String
        package let steps: [String]
        /// Rows visited by scans of a whole table, sorts, and steps of the virtual machine since the last call.
        package let fullScanRows: Int
        package let sorts: Int
        package let machineSteps: Int
    }

    /// Returns the plans of every statement prepared so far, and sets their counters to 0.
    package func plans() throws(S3Error) -> [Plan] {
        var plans: [Plan] = []
        for unsafe(_, statement) in unsafe statements {
            let explained = unsafe try SQLiteStatement("EXPLAIN QUERY PLAN " + statement.sql, of: self, handle)
            defer { explained.finish() }
            var steps: [String] = []
            while try explained.next() { steps.append(explained.text(3)) }
            plans.append(
                Plan(
                    sql: statement.sql, steps: steps, fullScanRows: statement.counter(SQLITE_STMTSTATUS_FULLSCAN_STEP),
                    sorts: statement.counter(SQLITE_STMTSTATUS_SORT),
                    machineSteps: statement.counter(SQLITE_STMTSTATUS_VM_STEP)))
        }
        return plans
    }
}

/// SQLite's own waits grow to 100 ms, which starves one process under the load of another; these stay short.
private let waitForOtherProcess: @convention(c) (UnsafeMutableRawPointer?, Int32) -> Int32 = { context, attempt in
    guard let context = unsafe context else { return 0 }
    let connection = unsafe Unmanaged<SQLiteConnection>.fromOpaque(context).takeUnretainedValue()
    let limitMilliseconds =
        connection.isImpatient ? SQLiteConnection.impatientMilliseconds : SQLiteConnection.busyTimeoutMilliseconds
    let shortWaits = 50
    let shortMicroseconds = 200
    let longMicroseconds = 2_000
    let waited =
        min(Int(attempt), shortWaits) * shortMicroseconds + max(0, Int(attempt) - shortWaits) * longMicroseconds
    guard waited < limitMilliseconds * 1_000 else { return 0 }
    usleep(UInt32(attempt < shortWaits ? shortMicroseconds : longMicroseconds))
    return 1
}

/// One prepared statement; it belongs to its connection and its thread.
@safe final class SQLiteStatement: SQLStatement {
    let sql: String
    private unowned let connection: SQLiteConnection
    private let database: OpaquePointer
    private var handle: OpaquePointer?
    /// SQLite's index of `$1`, `$2`, ...: it counts names in order of appearance.
    private var indexes: [Int32] = []
    private(set) var isRunning = false
    private(set) var changedRows = 0

    init(_ sql: String, of connection: SQLiteConnection, _ database: OpaquePointer) throws(S3Error) {
        self.sql = sql
        self.connection = connection
        unsafe self.database = database
        var prepared: OpaquePointer?
        let code = unsafe sqlite3_prepare_v3(database, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK else { throw connection.failure(code) }
        unsafe handle = prepared
        let count = unsafe sqlite3_bind_parameter_count(prepared)
        for number in 0..<count {
            indexes.append(unsafe sqlite3_bind_parameter_index(prepared, "$\(number + 1)"))
        }
    }

    deinit { finalize() }

    /// Gives the statement back to SQLite; it cannot be used again.
    func finalize() {
        unsafe sqlite3_finalize(handle)
        unsafe handle = nil
    }

    func start(_ values: [SQLValue]) throws(S3Error) {
        precondition(values.count == indexes.count, "a statement was given too many or too few values")
        if isRunning { finish() }
        for (position, value) in values.enumerated() { try bind(value, at: indexes[position]) }
        isRunning = true
    }

    private func bind(_ value: SQLValue, at index: Int32) throws(S3Error) {
        let code: Int32
        switch value {
        case .int(let number): code = unsafe sqlite3_bind_int64(handle, index, number)
        case .null: code = unsafe sqlite3_bind_null(handle, index)
        case .text(var text):
            code = text.withUTF8 { bytes in
                guard !bytes.isEmpty else { return unsafe sqlite3_bind_text(handle, index, "", 0, nil) }
                return unsafe bytes.withMemoryRebound(to: CChar.self) { characters in
                    unsafe sqlite3_bind_text(
                        handle, index, characters.baseAddress, Int32(characters.count), copyAtOnce)
                }
            }
        case .bytes(let bytes) where bytes.isEmpty:
            // A null address would bind NULL, not an empty string of bytes.
            code = unsafe sqlite3_bind_zeroblob(handle, index, 0)
        case .bytes(let bytes):
            code = unsafe sqlite3_bind_blob(handle, index, bytes, Int32(bytes.count), copyAtOnce)
        }
        guard code == SQLITE_OK else { throw connection.failure(code) }
    }

    func next() throws(S3Error) -> Bool {
        let code = unsafe sqlite3_step(handle)
        switch code {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            changedRows = Int(unsafe sqlite3_changes(database))
            return false
        default: throw connection.failure(code)
        }
    }

    func finish() {
        isRunning = false
        unsafe sqlite3_reset(handle)
    }

    var columnNames: [String] {
        (0..<Int(unsafe sqlite3_column_count(handle))).map { column in
            guard let name = unsafe sqlite3_column_name(handle, Int32(column)) else { return "" }
            return unsafe String(cString: name)
        }
    }

    func value(_ column: Int) -> SQLValue {
        switch unsafe sqlite3_column_type(handle, Int32(column)) {
        case SQLITE_NULL: .null
        case SQLITE_INTEGER: .int(int(column))
        case SQLITE_TEXT: .text(text(column))
        default: .bytes(bytes(column))
        }
    }

    func isNull(_ column: Int) -> Bool { unsafe sqlite3_column_type(handle, Int32(column)) == SQLITE_NULL }

    func int(_ column: Int) -> Int64 { unsafe sqlite3_column_int64(handle, Int32(column)) }

    func bytes(_ column: Int) -> [UInt8] {
        guard let address = unsafe sqlite3_column_blob(handle, Int32(column)) else { return [] }
        return unsafe [UInt8](
            UnsafeRawBufferPointer(start: address, count: Int(sqlite3_column_bytes(handle, Int32(column)))))
    }

    func text(_ column: Int) -> String {
        guard let address = unsafe sqlite3_column_text(handle, Int32(column)) else { return "" }
        return unsafe String(
            decoding: UnsafeBufferPointer(start: address, count: Int(sqlite3_column_bytes(handle, Int32(column)))),
            as: UTF8.self)
    }

    fileprivate func counter(_ name: Int32) -> Int { Int(unsafe sqlite3_stmt_status(handle, name, 1)) }
}

/// SQLITE_TRANSIENT: SQLite copies the bytes before the call returns.
private let copyAtOnce = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
