/// A document about the configuration: rows of the database as JSON, sealed under the master key.
///
/// `installation` has the backends and the namespace key, `tenant/<id>` a tenant with its keys and policies,
/// `bucket/<id>` a bucket with its policies and physical names. The newest generation of a name holds.
struct RecoveryDocument: Sendable, Equatable {
    enum Subject: Hashable, Sendable {
        case installation
        case tenant(Int64)
        case bucket(Int64)

        var name: String {
            switch self {
            case .installation: "installation"
            case .tenant(let id): "tenant/\(id)"
            case .bucket(let id): "bucket/\(id)"
            }
        }

        /// Nil for a name that is none of ours.
        init?(name: String) {
            let pieces = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            switch (pieces.count, String(decoding: pieces[0], as: UTF8.self)) {
            case (1, "installation"): self = .installation
            case (2, "tenant"):
                guard let id = DecimalNumber.parse(Array(pieces[1])) else { return nil }
                self = .tenant(Int64(id))
            case (2, "bucket"):
                guard let id = DecimalNumber.parse(Array(pieces[1])) else { return nil }
                self = .bucket(Int64(id))
            default: return nil
            }
        }
    }

    /// 10,000 mappings or 1,000 policies of 64 KiB, with room.
    static let maximumBytes = 64 << 20
    private static let format: Int64 = 1

    var subject: Subject
    var tables: [StoredRows]

    var json: [UInt8] {
        let tables = tables.map { rows -> JSONValue in
            [
                "table": .string(rows.table.rawValue), "columns": .texts(rows.columns),
                "rows": .array(rows.rows.map { .array($0.map(Self.json)) }),
            ]
        }
        let document: JSONValue = [
            "format": .integer(Self.format), "subject": .string(subject.name), "tables": .array(tables),
        ]
        return document.compact
    }

    /// Throws `InternalError` for what `json` did not make.
    init(reading json: [UInt8]) throws(S3Error) {
        let document: JSONValue
        do throws(JSONReader.SyntaxError) {
            document = try JSONReader.read(json, maximumBytes: Self.maximumBytes)
        } catch { throw Self.unreadable }
        guard document["format"] == .integer(Self.format), case .string(let name)? = document["subject"],
            let subject = Subject(name: name), case .array(let tables)? = document["tables"]
        else { throw Self.unreadable }
        self.subject = subject
        self.tables = []
        for table in tables { self.tables.append(try Self.rows(table)) }
    }

    init(subject: Subject, tables: [StoredRows]) {
        self.subject = subject
        self.tables = tables
    }

    private static var unreadable: S3Error {
        S3Error(.internalError, cause: "a document about the configuration does not read: a newer program wrote it")
    }

    private static func rows(_ table: JSONValue) throws(S3Error) -> StoredRows {
        guard case .string(let name)? = table["table"], let known = ConfigurationTable(rawValue: name),
            case .array(let names)? = table["columns"], case .array(let lines)? = table["rows"]
        else { throw unreadable }
        var stored = StoredRows(table: known, columns: [], rows: [])
        for name in names {
            guard case .string(let column) = name else { throw unreadable }
            stored.columns.append(column)
        }
        for line in lines {
            guard case .array(let cells) = line, cells.count == stored.columns.count else { throw unreadable }
            var row: [SQLValue] = []
            for cell in cells { row.append(try value(cell)) }
            stored.rows.append(row)
        }
        return stored
    }

    private static func json(_ value: SQLValue) -> JSONValue {
        switch value {
        case .null: .null
        case .int(let number): .integer(number)
        case .text(let text): .string(text)
        case .bytes(let bytes): ["base64": .string(Base64.text(bytes))]
        }
    }

    private static func value(_ json: JSONValue) throws(S3Error) -> SQLValue {
        switch json {
        case .null: return .null
        case .integer(let number): return .int(number)
        case .string(let text): return .text(text)
        default:
            guard case .string(let digits)? = json["base64"], let bytes = Base64.decode(Array(digits.utf8)) else {
                throw unreadable
            }
            return .bytes(bytes)
        }
    }
}
