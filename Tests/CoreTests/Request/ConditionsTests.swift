import Core
import Testing

@Suite struct ConditionsTests {
    private static let eTag = "9b2cf535f27731c974343645a3985328"
    private static let modified = Timestamp(milliseconds: 784_111_777_500)
    private static let same = "Sun, 06 Nov 1994 08:49:37 GMT"
    private static let earlier = "Sun, 06 Nov 1994 08:49:36 GMT"

    private func conditions(_ headers: [(String, String)]) throws(S3Error) -> Conditions {
        var fields = HeaderFields()
        for (name, value) in headers { try fields.add(name, Array(value.utf8)) }
        return Conditions(fields)
    }

    private func read(_ headers: (String, String)...) -> S3Error.Code? {
        code { try conditions(headers).checkRead(eTag: Self.eTag, lastModified: Self.modified) }
    }

    @Test func `a read is answered, refused or not modified as RFC 9110 orders`() {
        #expect(read() == nil)
        #expect(read(("if-match", "\"\(Self.eTag)\"")) == nil)
        #expect(read(("if-match", Self.eTag)) == nil)
        #expect(read(("if-match", "\"a\", \"\(Self.eTag)\"")) == nil)
        #expect(read(("if-match", "*")) == nil)
        #expect(read(("if-match", "\"a\"")) == .preconditionFailed)
        #expect(read(("if-none-match", "\"\(Self.eTag)\"")) == .notModified)
        #expect(read(("if-none-match", "W/\"\(Self.eTag)\"")) == .notModified)
        #expect(read(("if-none-match", "\"a\"")) == nil)
        #expect(read(("if-modified-since", Self.same)) == .notModified)
        #expect(read(("if-modified-since", Self.earlier)) == nil)
        #expect(read(("if-unmodified-since", Self.same)) == nil)
        #expect(read(("if-unmodified-since", Self.earlier)) == .preconditionFailed)
        #expect(read(("if-modified-since", "nonsense")) == nil)
    }

    @Test func `a matching tag outranks the date`() {
        #expect(read(("if-match", Self.eTag), ("if-unmodified-since", Self.earlier)) == nil)
        #expect(read(("if-none-match", "\"a\""), ("if-modified-since", Self.same)) == nil)
        #expect(read(("if-none-match", Self.eTag), ("if-modified-since", Self.earlier)) == .notModified)
    }

    private func write(over current: String?, _ headers: (String, String)...) -> S3Error.Code? {
        code {
            let conditions = try conditions(headers)
            try conditions.checkWriteForm()
            try conditions.checkWrite(overETag: current)
        }
    }

    @Test func `a write has its one winner's conditions`() {
        #expect(write(over: nil, ("if-none-match", "*")) == nil)
        #expect(write(over: Self.eTag, ("if-none-match", "*")) == .preconditionFailed)
        #expect(write(over: Self.eTag, ("if-match", "\"\(Self.eTag)\"")) == nil)
        #expect(write(over: Self.eTag, ("if-match", "\"a\"")) == .preconditionFailed)
        #expect(write(over: nil, ("if-match", "\"a\"")) == .noSuchKey)
        #expect(write(over: nil, ("if-none-match", "\"a\"")) == .notImplemented)
    }
}
