import Core

/// What names given on the command line may be.
enum Words {
    static let maximumNameBytes = 64
    static let maximumTextBytes = 256
    static let maximumPathBytes = 4096
    static let accessKeyIDSizes = 3...128

    /// Letters, digits, `-`, `.` and `_`.
    static func isName(_ text: String) -> Bool {
        (1...maximumNameBytes).contains(text.utf8.count) && text.utf8.allSatisfy(isNameByte)
    }

    /// The bytes of a name: nothing that ends a field of a credential scope (`/`, `,`, `=`, blank).
    static func isAccessKeyID(_ text: String) -> Bool {
        accessKeyIDSizes.contains(text.utf8.count) && text.utf8.allSatisfy(isNameByte)
    }

    static func isCanonicalID(_ text: String) -> Bool {
        text.utf8.count == 64 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    static func isShortText(_ text: String) -> Bool {
        (1...maximumTextBytes).contains(text.utf8.count) && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    /// A path that fits a system call (`PATH_MAX`), without NUL.
    static func isPath(_ text: String) -> Bool {
        (1..<maximumPathBytes).contains(text.utf8.count) && !text.utf8.contains(0)
    }

    /// Such as `45 s`, `12 min`, `3 h 5 min` or `2 d 4 h`.
    static func duration(_ seconds: Int64) -> String {
        switch seconds {
        case ..<60: "\(seconds) s"
        case ..<3_600: "\((seconds + 30) / 60) min"
        case ..<86_400: "\(seconds / 3_600) h \(seconds % 3_600 / 60) min"
        default: "\(seconds / 86_400) d \(seconds % 86_400 / 3_600) h"
        }
    }

    /// Returns `count` random characters of `alphabet`, each as likely as the others.
    static func random(_ count: Int, of alphabet: String) -> String {
        let characters = Array(alphabet.utf8)
        // Bytes beyond the last whole multiple would make the first characters likelier.
        let limit = 256 / characters.count * characters.count
        var chosen: [UInt8] = []
        while chosen.count < count {
            for byte in Crypto.randomBytes(count) where Int(byte) < limit && chosen.count < count {
                chosen.append(characters[Int(byte) % characters.count])
            }
        }
        return String(decoding: chosen, as: UTF8.self)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
        default: false
        }
    }
}
