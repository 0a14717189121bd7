/// UploadPart.
///
/// Source: Amazon S3 API Reference, UploadPart.
enum UploadPartOperation {
    static func upload(_ call: Call) throws(S3Error) -> Answer {
        let bucket = try call.bucket()
        let number = try number(call)
        try UnsupportedHeaders.refuse(in: call.request.headers)
        let upload = try find(call, in: bucket)
        let payload = try PayloadVerifier.verify(
            call.request, mode: call.payload, wantMD5: false, wanted: upload.checksumAlgorithm,
            incidental: .unnamed)
        if let wanted = upload.checksumAlgorithm, let got = payload.checksum?.algorithm, got != wanted {
            throw S3Error(
                .invalidRequest,
                "Checksum Type mismatch occurred, expected checksum Type: \(wanted.rawValue.lowercased()), "
                    + "actual checksum Type: \(got.rawValue.lowercased())")
        }
        let part = try UploadWriter(call, bucket, tags: upload.tags).store(
            payload.part(of: upload), as: number, of: upload)
        var head = call.head(200)
        head.add("ETag", "\"\(part.eTag)\"")
        if let checksum = part.checksum { head.add(checksum.headerName, checksum.base64) }
        return Answer(head)
    }

    /// Returns an upload that takes parts; one whose completion has begun takes none.
    static func find(_ call: Call, in bucket: Bucket) throws(S3Error) -> Upload {
        let upload = try MultipartUploads.find(call, in: bucket)
        guard upload.state == .open else { throw MultipartUploads.noSuchUpload(call) }
        return upload
    }

    static func number(_ call: Call) throws(S3Error) -> PartNumber {
        let text = call.request.target.queryText("partNumber")
        guard let number = text.flatMap(PartNumber.init(text:)) else {
            throw S3Error(.invalidArgument, "Part number must be an integer between 1 and 10000, inclusive")
                .detail("ArgumentName", "partNumber").detail("ArgumentValue", text ?? "")
        }
        return number
    }
}
