private import Glibc

/// The keys that seal secrets at rest: AES-256-GCM under a key of the operator's, named by an id so that it can be
/// rotated.
///
/// The first key seals; all of them open.
///
/// A sealed secret is bound to the table and row it was made for, so that swapping two rows opens neither.
/// Shape: version (1 byte), length of key id (1 byte), key id, nonce (12 bytes), cipher text, tag (16 bytes).
package struct MasterKeys: Sendable {
    private struct Key: Sendable {
        let id: [UInt8]
        let bytes: [UInt8]
    }

    private let keys: [Key]

    /// The environment variable that may hold the text of a key file.
    package static let environmentName = "S3GW_MASTER_KEY"
    package static let maximumFileSizeBytes = 64 * 1024
    package static let maximumKeyIDSizeBytes = 64
    private static let formatVersion: UInt8 = 1

    /// Reads lines `keyid:KEY`, KEY being 32 bytes as 64 hex digits or as base64; blank lines and lines that begin with
    /// `#` are skipped.
    ///
    /// The first key is the active one. `origin` names the text in errors; the text itself never does.
    package init(parsing text: [UInt8], origin: String) throws(S3Error) {
        var keys: [Key] = []
        for (index, line) in text.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            let trimmed = Self.trimmed(line)
            guard let first = trimmed.first, first != UInt8(ascii: "#") else { continue }
            guard let colon = trimmed.firstIndex(of: UInt8(ascii: ":")),
                let bytes = Self.keyBytes(Array(trimmed[(colon + 1)...]))
            else {
                throw Self.refusal(
                    "\(origin), line \(index + 1): wanted keyid:KEY, KEY being 64 hex digits or base64 of 32 bytes")
            }
            let id = Array(trimmed[..<colon])
            guard !id.isEmpty, id.count <= Self.maximumKeyIDSizeBytes, id.allSatisfy(Self.isIDByte) else {
                throw Self.refusal("\(origin), line \(index + 1): a key id is 1 to 64 of A-Z a-z 0-9 . _ -")
            }
            guard !keys.contains(where: { $0.id == id }) else {
                throw Self.refusal("\(origin), line \(index + 1): this key id stands twice")
            }
            keys.append(Key(id: id, bytes: bytes))
        }
        guard !keys.isEmpty else { throw Self.refusal("\(origin): no master key; make one with: s3gw init") }
        self.keys = keys
    }

    /// Reads a key file, which nobody but its owner may read (mode 0400 or 0600).
    package init(contentsOfFile path: String) throws(S3Error) {
        let file = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            let remedy =
                switch errno {
                case ENOENT: "; s3gw init makes one"
                case EACCES: "; it has to belong to the user of this process, id \(geteuid())"
                default: ""
                }
            throw Self.refusal("cannot open the master key file \(path): \(Self.systemError())\(remedy)")
        }
        defer { close(file) }
        var status = stat()
        guard unsafe fstat(file, &status) == 0 else {
            throw Self.refusal("cannot examine the master key file \(path): \(Self.systemError())")
        }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= Self.maximumFileSizeBytes else {
            throw Self.refusal("the master key file \(path) is not a small regular file")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw Self.refusal("the master key file \(path) can be read by others: chmod 400 \(path)")
        }
        var text = [UInt8](repeating: 0, count: Int(status.st_size))
        var filled = 0
        while filled < text.count {
            let count = unsafe text.withUnsafeMutableBytes { buffer in
                unsafe read(file, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw Self.refusal("cannot read the master key file \(path): \(Self.systemError())")
            }
            filled += count
        }
        try self.init(parsing: text, origin: path)
    }

    /// Writes a new file with one random key, mode 0400; throws when `path` exists.
    package static func generateFile(at path: String) throws(S3Error) {
        let id = "k" + Hex.text(Crypto.randomBytes(4))
        let line = Array("\(id):\(Hex.text(Crypto.randomBytes(AES256GCM.keySizeBytes)))\n".utf8)
        let file = unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o400)
        guard file >= 0 else {
            let remedy = errno == ENOENT ? "; make its directory first" : ""
            throw refusal("cannot create the master key file \(path): \(systemError())\(remedy)")
        }
        defer { close(file) }
        let written = unsafe write(file, line, line.count)
        guard written == line.count, fsync(file) == 0 else {
            let reason = systemError()
            unsafe unlink(path)
            throw refusal("cannot write the master key file \(path): \(reason)")
        }
    }

    /// Returns `secret` sealed for one row; `row` must be the same text whenever it is opened.
    package func seal(_ secret: [UInt8], table: String, row: String) -> [UInt8] {
        let key = keys[0]
        let nonce = Crypto.randomBytes(AES256GCM.nonceSizeBytes)
        let cipherText = AES256GCM.seal(
            secret, key: key.bytes, nonce: nonce, authenticating: Self.bound(table, row, key.id))
        return [Self.formatVersion, UInt8(key.id.count)] + key.id + nonce + cipherText
    }

    /// Returns the secret, or throws `InternalError` when it was sealed for another row, under a key that is gone, or
    /// was changed.
    package func open(_ sealed: [UInt8], table: String, row: String) throws(S3Error) -> [UInt8] {
        guard sealed.count > 2, sealed[0] == Self.formatVersion else {
            throw Self.refusal("a sealed secret in \(table) has an unknown form")
        }
        let idEnd = 2 + Int(sealed[1])
        let nonceEnd = idEnd + AES256GCM.nonceSizeBytes
        guard sealed.count >= nonceEnd + AES256GCM.tagSizeBytes else {
            throw Self.refusal("a sealed secret in \(table) is cut short")
        }
        guard let key = keys.first(where: { $0.id.elementsEqual(sealed[2..<idEnd]) }) else {
            let id = String(decoding: sealed[2..<idEnd], as: UTF8.self)
            let loaded = keys.map { String(decoding: $0.id, as: UTF8.self) }.joined(separator: ", ")
            throw Self.refusal(
                "a secret in \(table) is sealed under the master key \(id), and this process has only \(loaded): put the line of "
                    + "\(id) into the master key file; processes that run read it at HUP or restart")
        }
        guard
            let secret = AES256GCM.open(
                Array(sealed[nonceEnd...]), key: key.bytes, nonce: Array(sealed[idEnd..<nonceEnd]),
                authenticating: Self.bound(table, row, key.id))
        else { throw Self.refusal("a sealed secret in \(table) was changed, or belongs to another row") }
        return secret
    }

    /// Returns 32 bytes that only who has the key can make, for each key, the active one first.
    package func derived(_ purpose: String) -> [[UInt8]] {
        keys.map { Crypto.hmacSHA256(key: $0.bytes, message: Array(purpose.utf8)) }
    }

    /// The id of the key that seals.
    package var activeKeyID: String { String(decoding: keys[0].id, as: UTF8.self) }

    /// The id of the key under which `sealed` stands, so that rotation finds what is left to seal again.
    package static func keyID(of sealed: [UInt8]) -> String? {
        guard sealed.count > 2, sealed[0] == formatVersion, sealed.count >= 2 + Int(sealed[1]) else { return nil }
        return String(decoding: sealed[2..<(2 + Int(sealed[1]))], as: UTF8.self)
    }

    /// Table, row and key id, each with its length before it, so that no two triples give the same bytes.
    private static func bound(_ table: String, _ row: String, _ keyID: [UInt8]) -> [UInt8] {
        var data: [UInt8] = []
        for field in [Array(table.utf8), Array(row.utf8), keyID] {
            for shift in [24, 16, 8, 0] { data.append(UInt8(truncatingIfNeeded: field.count >> shift)) }
            data.append(contentsOf: field)
        }
        return data
    }

    private static func keyBytes(_ text: [UInt8]) -> [UInt8]? {
        let bytes = text.count == AES256GCM.keySizeBytes * 2 ? Hex.decode(text) : Base64.decode(text)
        return bytes?.count == AES256GCM.keySizeBytes ? bytes : nil
    }

    private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
        let start = line.firstIndex { !isBlank($0) } ?? line.endIndex
        let end = line.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? start
        return line[start..<end]
    }

    private static func isIDByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
        default: false
        }
    }

    private static func refusal(_ cause: String) -> S3Error { S3Error(.internalError, cause: cause) }

    private static func systemError() -> String { unsafe String(cString: strerror(errno)) }
}
