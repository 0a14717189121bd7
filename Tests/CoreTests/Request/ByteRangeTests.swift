import Core
import Testing

@Suite struct ByteRangeTests {
    @Test(arguments: [
        ("bytes=0-9", 0, 9), ("bytes=5-", 5, 99), ("bytes=-10", 90, 99), ("bytes=-1000", 0, 99),
        ("bytes=99-99", 99, 99),
        ("bytes=50-1000", 50, 99), ("BYTES=0-0", 0, 0), ("bytes= 1 - 2 ", 1, 2),
        ("bytes=0-99999999999999999999999", 0, 99),
    ])
    func `a satisfiable range is cut to the object`(header: String, first: Int64, last: Int64) throws {
        #expect(try ByteRange.resolve(Array(header.utf8), sizeBytes: 100) == first...last)
    }

    @Test(arguments: ["bytes=9-5", "bytes=a-b", "bytes=", "bytes=-", "items=0-5", "bytes=0-1,5-6", "bytes=+1-5", "0-5"])
    func `what is not one well-formed range is ignored`(header: String) throws {
        #expect(try ByteRange.resolve(Array(header.utf8), sizeBytes: 100) == nil)
    }

    @Test(arguments: [
        ("bytes=100-", 100), ("bytes=100-200", 100), ("bytes=-0", 100), ("bytes=0-0", 0), ("bytes=-5", 0),
    ])
    func `a range beyond the object is refused with its real size`(header: String, sizeBytes: Int64) {
        do throws(S3Error) {
            _ = try ByteRange.resolve(Array(header.utf8), sizeBytes: sizeBytes)
            Issue.record("no refusal")
        } catch {
            #expect(error.code == .invalidRange)
            #expect(error.headers.contains { $0.name == "Content-Range" && $0.value == "bytes */\(sizeBytes)" })
        }
    }
}
