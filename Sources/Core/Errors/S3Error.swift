/// A refusal: what the client is told, and what only the log is told.
package struct S3Error: Error, Sendable {
    /// One row of the table in `S3Error+Table.swift`: the code, HTTP status and standard message.
    package struct Code: Hashable, Sendable {
        package let name: String
        package let status: Int
        package let message: String

        init(row name: String, _ status: Int, _ message: String) {
            self.name = name
            self.status = status
            self.message = message
        }

        package static func == (one: Code, other: Code) -> Bool { one.name == other.name && one.status == other.status }

        package func hash(into hasher: inout Hasher) { hasher.combine(name) }
    }

    package let code: Code
    /// What the client reads; the table's text unless a better one was given.
    package let message: String
    /// What went wrong inside, for the log only: never a secret, never sent to the client.
    package var cause: String?
    /// Elements added to the error document after `Message`, such as `BucketName` or `ArgumentName`.
    package var details: [(name: String, value: String)] = []
    /// Headers added to the answer, such as `Retry-After` or `Content-Range`.
    package var headers: [(name: String, value: String)] = []
    /// Whether the sender claimed to be somebody and did not prove it; `FailureLimit` counts these.
    package var isFailedAuthentication = false

    package init(_ code: Code, _ message: String? = nil, cause: String? = nil) {
        self.code = code
        self.message = message ?? code.message
        self.cause = cause
    }

    /// The client left and nginx removed its body: nobody hears this, and nobody failed.
    package static let clientLeft = S3Error(.incompleteBody, "The client left.")

    /// `NotImplemented` for a header or an element of a document, by name.
    package static func unimplemented(_ kind: UnimplementedKind, _ name: String) -> S3Error {
        S3Error(
            .notImplemented,
            "\(kind.article) \(kind.rawValue.lowercased()) you provided implies functionality that is not implemented: \(name)"
        ).detail(kind.rawValue, name)
    }

    package enum UnimplementedKind: String, Sendable {
        case header = "Header"
        case element = "Element"

        fileprivate var article: String { self == .header ? "A" : "An" }
    }

    /// Returns the same refusal with one more element in its document.
    package func detail(_ name: String, _ value: String) -> S3Error {
        var copy = self
        copy.details.append((name, value))
        return copy
    }

    /// Returns the same refusal with one more response header.
    package func header(_ name: String, _ value: String) -> S3Error {
        var copy = self
        copy.headers.append((name, value))
        return copy
    }
}
