/// What a `file` backend keeps beside an object's bytes: the self-description that an S3 store keeps as metadata.
///
/// Lines of ASCII, each ended by a line feed: `s3gw-object 1`, `size N`, `md5 HEX`, one `meta NAME VALUE` a field, `end`.
struct ObjectSidecar: Equatable {
    var sizeBytes: Int64
    /// 16 bytes.
    var md5: [UInt8]
    var metadata: [HeaderField]

    /// More than the 2 KB of user metadata and the fields of the gateway can need.
    static let maximumBytes = 65_536
    private static let head = "s3gw-object 1"
    private static let md5Length = 16

    init(sizeBytes: Int64, md5: [UInt8], metadata: [HeaderField]) {
        self.sizeBytes = sizeBytes
        self.md5 = md5
        self.metadata = metadata
    }

    var bytes: [UInt8] {
        var output = Array("\(Self.head)\nsize \(sizeBytes)\nmd5 \(Hex.text(md5))\n".utf8)
        for field in metadata {
            output.append(contentsOf: "meta \(field.name) ".utf8)
            output.append(contentsOf: field.value)
            output.append(0x0A)
        }
        output.append(contentsOf: "end\n".utf8)
        return output
    }

    /// Nil when `bytes` are not a whole sidecar.
    init?(reading bytes: [UInt8]) {
        var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
        guard lines.count >= 5, lines.removeLast().isEmpty, lines.removeLast().elementsEqual("end".utf8),
            lines[0].elementsEqual(Self.head.utf8),
            let size = Self.value("size ", of: lines[1]), let sizeBytes = DecimalNumber.parse(Array(size)),
            let digest = Self.value("md5 ", of: lines[2]), let md5 = Hex.decode(digest), md5.count == Self.md5Length
        else { return nil }
        metadata = []
        for line in lines.dropFirst(3) {
            guard let field = Self.value("meta ", of: line), let space = field.firstIndex(of: 0x20) else { return nil }
            metadata.append(
                HeaderField(
                    name: String(decoding: field[..<space], as: UTF8.self), value: Array(field[(space + 1)...])))
        }
        self.sizeBytes = Int64(sizeBytes)
        self.md5 = md5
    }

    private static func value(_ word: String, of line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        line.starts(with: word.utf8) ? line.dropFirst(word.utf8.count) : nil
    }
}

extension ObjectDescription {
    /// Longest name and value of one metadata field, in bytes: what S3 stores take without complaint.
    private static let maximumFieldBytes = 8192

    /// Returns the first field that cannot be stored as it is: a name outside `s3gw-[a-z0-9-]`, or a value with bytes
    /// outside printable ASCII or blanks at its ends, which stores drop.
    var unstorableField: String? {
        for field in metadata {
            let isNameGood =
                field.name.utf8.starts(with: "s3gw-".utf8)
                && field.name.utf8.allSatisfy {
                    (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D
                }
            let isValueGood =
                field.value.count <= Self.maximumFieldBytes && field.value.first != 0x20 && field.value.last != 0x20
                && field.value.allSatisfy { (0x20...0x7E).contains($0) && $0 != ObjectDescription.separator }
            if !isNameGood || !isValueGood { return field.name }
        }
        return nil
    }
}
