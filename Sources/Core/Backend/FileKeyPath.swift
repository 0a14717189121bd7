/// Where a key's bytes stand below a bucket's directory: names of directories, then the name of the object.
///
/// The mapping is one-to-one, readable, and any key has a place:
///
/// - every component between slashes is a directory, the last one is the object, `cat.jpg%data` beside `cat.jpg%meta`;
///   so a key may be another key's directory;
/// - control bytes and `%` become `%XX`; so does the first byte of `.` and `..`; an empty component is `%`;
/// - a component is cut after the first byte with which it reaches `chunkSizeBytes`, as a directory `...%more`, so that
///   no name passes NAME_MAX (255 bytes, limits.h) and everything that begins alike stands together (byte order).
///
/// Names that this mapping does not make are foreign, and are neither listed nor removed.
package struct FileKeyPath: Equatable, Sendable {
    /// Directories from the bucket down.
    package private(set) var directories: [FileName]
    /// The encoded last component, without a suffix.
    private let leaf: [UInt8]

    /// Longest written form of a component before it is cut; plus 2 for a last escape and 5 for a suffix is below 255.
    static let chunkSizeBytes = 246
    private static let slash = UInt8(ascii: "/")
    static let percent = UInt8(ascii: "%")

    package init(key: [UInt8]) {
        directories = []
        var written: [UInt8] = []
        let components = key.split(separator: Self.slash, omittingEmptySubsequences: false)
        for (index, component) in components.enumerated() {
            written = []
            let isDots = component.elementsEqual([0x2E]) || component.elementsEqual([0x2E, 0x2E])
            for (offset, byte) in component.enumerated() {
                if Self.isEscaped(byte) || (isDots && offset == 0) {
                    Hex.appendPercentEncoded(byte, to: &written)
                } else {
                    written.append(byte)
                }
                if written.count >= Self.chunkSizeBytes {
                    directories.append(FileName(written, suffix: .more))
                    written = []
                }
            }
            guard index < components.count - 1 else { break }
            directories.append(written.isEmpty ? FileName([Self.percent]) : FileName(written))
        }
        leaf = written
    }

    /// The file of the object's bytes, and nothing but its bytes.
    package var data: FileName { FileName(leaf, suffix: .data) }

    /// The file that describes the object.
    package var meta: FileName { FileName(leaf, suffix: .meta) }

    /// The path below the bucket's directory, for a web server that sends the file itself.
    package var relativePath: [UInt8] {
        var path: [UInt8] = []
        for name in directories {
            path.append(contentsOf: name.bytes)
            path.append(Self.slash)
        }
        return path + data.bytes
    }

    static func isEscaped(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x7F || byte == percent }
}

/// What a name in a bucket's tree stands for, with the bytes it adds to a key.
enum FileEntry: Equatable {
    case data([UInt8])
    case meta([UInt8])
    /// A component and its slash.
    case directory([UInt8])
    /// The beginning of a component that goes on below.
    case more([UInt8])

    /// Reads a name back; nil for one that `FileKeyPath` does not make.
    init?(reading name: [UInt8]) {
        if let written = FileName.Suffix.data.stripped(from: name) {
            guard let part = Self.decode(written) else { return nil }
            self = .data(part)
        } else if let written = FileName.Suffix.meta.stripped(from: name) {
            guard let part = Self.decode(written) else { return nil }
            self = .meta(part)
        } else if let written = FileName.Suffix.more.stripped(from: name) {
            guard written.count >= FileKeyPath.chunkSizeBytes, let part = Self.decode(written, isChunk: true) else {
                return nil
            }
            self = .more(part)
        } else {
            guard let part = name == [FileKeyPath.percent] ? [] : Self.decode(name), !name.isEmpty else { return nil }
            self = .directory(part + [UInt8(ascii: "/")])
        }
    }

    static func isMeta(_ name: [UInt8]) -> Bool { name.suffix(metaSuffix.count).elementsEqual(metaSuffix) }
    private static let metaSuffix = Array(FileName.Suffix.meta.rawValue.utf8)

    /// Nil unless `written` is exactly what the mapping writes for the bytes it stands for.
    private static func decode(_ written: [UInt8], isChunk: Bool = false) -> [UInt8]? {
        var part: [UInt8] = []
        var index = 0
        while index < written.count {
            guard written[index] == FileKeyPath.percent else {
                part.append(written[index])
                index += 1
                continue
            }
            guard index + 2 < written.count, let high = Hex.value(written[index + 1]),
                let low = Hex.value(written[index + 2])
            else { return nil }
            part.append(high << 4 | low)
            index += 3
        }
        let path = FileKeyPath(key: part)
        if isChunk {
            return path.directories == [FileName(written, suffix: .more)] && path.data == FileName([], suffix: .data)
                ? part : nil
        }
        return path.directories.isEmpty && path.data == FileName(written, suffix: .data) ? part : nil
    }
}

/// One name in a directory, as the system wants it: without slash or zero byte inside, with a zero byte at the end.
package struct FileName: Hashable, Sendable {
    enum Suffix: String {
        case data = "%data"
        case meta = "%meta"
        case more = "%more"

        func stripped(from name: [UInt8]) -> [UInt8]? {
            let suffix = Array(rawValue.utf8)
            return name.count >= suffix.count && name.suffix(suffix.count).elementsEqual(suffix)
                ? Array(name.dropLast(suffix.count)) : nil
        }
    }

    /// With the zero byte.
    let characters: [CChar]

    init(_ bytes: [UInt8], suffix: Suffix? = nil) {
        var characters = bytes.map { CChar(bitPattern: $0) }
        if let suffix { characters.append(contentsOf: suffix.rawValue.utf8.map { CChar(bitPattern: $0) }) }
        characters.append(0)
        self.characters = characters
    }

    init(_ text: String) { self.init(Array(text.utf8)) }

    package var bytes: [UInt8] { characters.dropLast().map { UInt8(bitPattern: $0) } }
}
