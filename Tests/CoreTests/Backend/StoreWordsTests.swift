import Testing

@testable import Core

/// What stores say is read without trust: a small fuzz run over answers, heads and files beside objects.
@Suite struct StoreWordsTests {
    private static let changesPerSeed = 400

    /// Calls `check` with each of `seeds` and its neighbours; it returns what is wrong.
    private func each(_ seeds: [String], _ check: ([UInt8]) -> String?) {
        var generator = FuzzCorpusTests.SplitMix(state: 20_261_123)
        for seed in seeds {
            if let fault = check(Array(seed.utf8)) { Issue.record("\(seed): \(fault)") }
            for _ in 0..<Self.changesPerSeed {
                let changed = FuzzCorpusTests.changed(Array(seed.utf8), with: &generator)
                if let fault = check(changed) { Issue.record("\(changed): \(fault)") }
            }
        }
    }

    @Test func `documents of stores are read within bounds`() {
        each([
            "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><Contents><Key>a%2Fb+c</Key>"
                + "<Size>12</Size></Contents><Contents><Key>%</Key><Size>999999999999999999</Size></Contents></ListBucketResult>",
            "<ListAllMyBucketsResult><Buckets><Bucket><Name>s3gw-a</Name></Bucket></Buckets>"
                + "<ContinuationToken>t</ContinuationToken></ListAllMyBucketsResult>",
            "<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>u-1</UploadId></Upload></ListMultipartUploadsResult>",
            "<InitiateMultipartUploadResult><UploadId>\"u\"</UploadId></InitiateMultipartUploadResult>",
            "<CompleteMultipartUploadResult><ETag>&quot;0-1&quot;</ETag></CompleteMultipartUploadResult>",
            "<CopyObjectResult><ETag>\"0\"</ETag></CopyObjectResult>", "<Error><Code>NoSuchKey</Code></Error>",
        ]) { document in
            let words = [
                StoreAnswer.errorCode(document), StoreAnswer.uploadID(document), StoreAnswer.completedETag(document),
            ].compactMap(\.self)
            guard words.allSatisfy(StoreAnswer.isWord) else { return "a word that is none" }
            _ = StoreAnswer.copyETag(document)
            do throws(StoreAnswer.Unreadable) {
                let sizes = try StoreAnswer.page(document).entries.map(\.sizeBytes)
                guard sizes.allSatisfy({ $0 >= 0 }) else { return "a size below 0" }
            } catch {}
            do throws(StoreAnswer.Unreadable) { _ = try StoreAnswer.buckets(document) } catch {}
            do throws(StoreAnswer.Unreadable) {
                let ids = try StoreAnswer.uploads(document).map(\.uploadID)
                guard ids.allSatisfy(StoreAnswer.isWord) else { return "an upload id that is no word" }
                let ofKey = try StoreAnswer.uploads(document, of: Array("k".utf8))
                guard Set(ofKey).isSubset(of: ids) else { return "an upload of one key that is none of all" }
            } catch {}
            return nil
        }
    }

    @Test func `heads of stores are read line by line`() {
        let fields: [StaticString] = ["etag", "content-length", "content-range", "x-amz-meta-s3gw", "server", "date"]
        each([
            "HTTP/1.1 206 Partial Content\nETag: \"d41d8cd98f00b204e9800998ecf8427e\"\nContent-Length: 5\n"
                + "Content-Range: bytes 0-4/10\nServer:  a \nx-amz-meta-s3gw: key=a/b&version=01J&proof=00\nETag: W/\"other\"",
            "HTTP/2 200\netag:\ncontent-length: 999999999999999999\ncontent-range: bytes 5-4/*\nx: y\n folded",
        ]) { text in
            let lines = text.split(separator: 0x0A, omittingEmptySubsequences: false).map(Array.init)
            let first = unsafe lines[0].withUnsafeBytes { unsafe TransferHead(statusLine: $0) }
            var head = first ?? TransferHead(status: 200)
            guard (100...599).contains(head.status) else { return "a status that is none" }
            for line in lines.dropFirst() {
                let isHonest = unsafe line.withUnsafeBytes { unsafe head.add(line: $0) }
                if isHonest && !line.contains(UInt8(ascii: ":")) { return "a line without a colon passed" }
            }
            for value in fields.compactMap({ head[$0] }) {
                guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                    return "a control byte passed"
                }
                guard value.first != 0x20, value.last != 0x20 else { return "a value with outer blanks" }
                if let found = StoreAnswer.contentRange(value), found.range.lowerBound < 0 { return "a range below 0" }
            }
            _ = head.eTag
            guard head.metadata.allSatisfy({ $0.name.hasPrefix("s3gw-") }) else { return "a field that is not ours" }
            return nil
        }
    }

    @Test func `a file beside an object is whole or none`() {
        let sidecar = ObjectSidecar(
            sizeBytes: 12, md5: [UInt8](repeating: 7, count: 16),
            metadata: [HeaderField(name: "s3gw-key", value: Array("a b".utf8)), HeaderField(name: "s3gw-x", value: [])])
        each([String(decoding: sidecar.bytes, as: UTF8.self)]) { bytes in
            guard let read = ObjectSidecar(reading: bytes) else { return nil }
            guard read.sizeBytes >= 0, read.md5.count == 16 else { return "a size or MD5 that is none" }
            return ObjectSidecar(reading: read.bytes) == read ? nil : "reads differently after writing"
        }
        for end in 0..<sidecar.bytes.count { #expect(ObjectSidecar(reading: Array(sidecar.bytes[..<end])) == nil) }
    }
}
