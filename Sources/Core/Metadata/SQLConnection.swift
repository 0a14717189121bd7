/// One parameter of a statement.
package enum SQLValue: Sendable, Equatable {
    case int(Int64)
    case text(String)
    case bytes([UInt8])
    case null

    package init(_ text: String?) { self = text.map(SQLValue.text) ?? .null }
    package init(_ number: Int64?) { self = number.map(SQLValue.int) ?? .null }
    package init(_ bytes: [UInt8]?) { self = bytes.map(SQLValue.bytes) ?? .null }
    package init(_ time: Timestamp) { self = .int(time.milliseconds) }
    package init(_ flag: Bool) { self = .int(flag ? 1 : 0) }
}

/// The words in which the two engines differ; everything else is one SQL text.
package struct SQLDialect: Sendable {
    /// Byte strings.
    package let bytes: String
    /// Text that compares as bytes.
    package let text: String
    /// A 64-bit primary key that the database gives, growing, never used twice.
    package let identity: String
    /// Follows `)` of a table that is stored in the order of its primary key where the engine can.
    package let clustered: String
    /// Statements that make the database refuse to change or remove rows of a table.
    package let appendOnly: @Sendable (_ table: String) -> String

    package static let sqlite = SQLDialect(
        bytes: "BLOB", text: "TEXT", identity: "INTEGER PRIMARY KEY AUTOINCREMENT", clustered: " WITHOUT ROWID",
        appendOnly: { table in
            ["UPDATE", "DELETE"].map { change in
                """
                CREATE TRIGGER \(table)_refuses_\(change.lowercased()) BEFORE \(change) ON \(table)
                BEGIN SELECT RAISE(ABORT, '\(table) is append-only'); END;
                """
            }.joined(separator: "\n")
        })
}

/// One connection to the metadata database, used by one thread at a time.
///
/// Every statement is one literal with parameters `$1`, `$2`, ..., prepared once for each connection. The tables'
/// functions are extensions of this protocol, one file a table, so that both engines run the same text.
package protocol SQLConnection: AnyObject {
    var dialect: SQLDialect { get }

    /// Returns the prepared statement for `sql`, free for use.
    func statement(_ sql: StaticString) throws(S3Error) -> any SQLStatement

    /// Prepares a statement whose text is made at run time, of names that the schema holds and of nothing else.
    func statement(made sql: String) throws(S3Error) -> any SQLStatement

    /// Runs statements without parameters or rows: schema and transaction control.
    func script(_ sql: String) throws(S3Error)
}

/// A prepared statement and the row it stands on.
///
/// Columns count from 0; reading is only allowed after `next()` was true.
package protocol SQLStatement: AnyObject {
    /// Begins a run with these values for `$1`, `$2`, ...
    func start(_ values: [SQLValue]) throws(S3Error)

    /// Goes to the next row; false after the last.
    func next() throws(S3Error) -> Bool

    /// Ends the run; needed after every `start`.
    func finish()

    /// Rows that the last finished INSERT, UPDATE or DELETE touched.
    var changedRows: Int { get }

    /// Of the result, in order.
    var columnNames: [String] { get }

    /// The value as it is stored.
    func value(_ column: Int) -> SQLValue

    func isNull(_ column: Int) -> Bool
    func int(_ column: Int) -> Int64
    func bytes(_ column: Int) -> [UInt8]
    func text(_ column: Int) -> String
}

extension SQLStatement {
    func time(_ column: Int) -> Timestamp { Timestamp(milliseconds: int(column)) }
    func flag(_ column: Int) -> Bool { int(column) != 0 }
    func optionalInt(_ column: Int) -> Int64? { isNull(column) ? nil : int(column) }
    func optionalText(_ column: Int) -> String? { isNull(column) ? nil : text(column) }
    func optionalBytes(_ column: Int) -> [UInt8]? { isNull(column) ? nil : bytes(column) }
    func optionalTime(_ column: Int) -> Timestamp? { isNull(column) ? nil : time(column) }

    /// Reads a word that stands for a case, or throws `InternalError`: some other program wrote it.
    func word<Word: RawRepresentable<String>>(_ column: Int, _: Word.Type = Word.self) throws(S3Error) -> Word {
        guard let word = Word(rawValue: text(column)) else {
            throw S3Error(.internalError, cause: "the database holds an unknown \(Word.self): \(text(column))")
        }
        return word
    }

    func versionID(_ column: Int) throws(S3Error) -> VersionID {
        guard let id = VersionID(stored: bytes(column)) else {
            throw S3Error(.internalError, cause: "the database holds a version id that is not 16 bytes long")
        }
        return id
    }
}

extension SQLConnection {
    /// Runs a statement that gives no rows; returns how many it changed.
    @discardableResult
    func run(_ sql: StaticString, _ values: SQLValue...) throws(S3Error) -> Int {
        let statement = try statement(sql)
        defer { statement.finish() }
        try statement.start(values)
        while try statement.next() {}
        return statement.changedRows
    }

    /// Returns what `row` makes of the first row, nil when there is none.
    func first<T>(
        _ sql: StaticString, _ values: SQLValue..., row: (any SQLStatement) throws(S3Error) -> T
    ) throws(S3Error) -> T? {
        let statement = try statement(sql)
        defer { statement.finish() }
        try statement.start(values)
        return try statement.next() ? try row(statement) : nil
    }

    /// Returns what `row` makes of every row.
    func all<T>(
        _ sql: StaticString, _ values: SQLValue..., row: (any SQLStatement) throws(S3Error) -> T
    ) throws(S3Error) -> [T] {
        let statement = try statement(sql)
        defer { statement.finish() }
        try statement.start(values)
        var rows: [T] = []
        while try statement.next() { rows.append(try row(statement)) }
        return rows
    }

    /// Tells whether the statement gives a row.
    func has(_ sql: StaticString, _ values: SQLValue...) throws(S3Error) -> Bool {
        let statement = try statement(sql)
        defer { statement.finish() }
        try statement.start(values)
        return try statement.next()
    }
}
