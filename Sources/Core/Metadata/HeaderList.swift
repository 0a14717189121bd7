/// Header fields as one column.
///
/// For each field the length of its name, the name, the length of its value, the value; lengths are LEB128.
enum HeaderList {
    static func encoded(_ fields: [HeaderField]) -> [UInt8] {
        var bytes: [UInt8] = []
        for field in fields {
            append(field.name.utf8.count, to: &bytes)
            bytes.append(contentsOf: field.name.utf8)
            append(field.value.count, to: &bytes)
            bytes.append(contentsOf: field.value)
        }
        return bytes
    }

    /// Throws `InternalError` for bytes that `encoded` did not make.
    static func decoded(_ bytes: [UInt8]) throws(S3Error) -> [HeaderField] {
        var fields: [HeaderField] = []
        var offset = 0
        while offset < bytes.count {
            let name = try piece(of: bytes, at: &offset)
            let value = try piece(of: bytes, at: &offset)
            fields.append(HeaderField(name: String(decoding: name, as: UTF8.self), value: Array(value)))
        }
        return fields
    }

    private static func append(_ length: Int, to bytes: inout [UInt8]) {
        var rest = length
        while rest > 0x7f {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private static func piece(of bytes: [UInt8], at offset: inout Int) throws(S3Error) -> ArraySlice<UInt8> {
        let maximumLengthBytes = 4
        var length = 0
        for position in 0..<maximumLengthBytes where offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            length |= Int(byte & 0x7f) << (7 * position)
            guard byte & 0x80 == 0 else { continue }
            guard bytes.count - offset >= length else { break }
            defer { offset += length }
            return bytes[offset..<(offset + length)]
        }
        throw S3Error(.internalError, cause: "the database holds header fields that are cut short")
    }
}
