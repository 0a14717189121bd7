/// Why a policy is refused: where in the document, and what is wrong there.
package struct PolicyError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Such as `$.replicas.count` or `$.residency.allow[2]`; `$` is the whole document.
    package let path: String
    package let message: String

    package init(_ path: String, _ message: String) {
        self.path = path
        self.message = message
    }

    package var description: String { "\(path): \(message)" }

    package var s3Error: S3Error { S3Error(.invalidArgument, "The policy is not valid: \(description)") }
}
