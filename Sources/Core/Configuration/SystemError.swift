private import Glibc

/// The words of `errno` values.
package enum SystemError {
    /// Returns the text of `strerror_r` and the number, such as `No such file or directory (2)`.
    package static func text(_ code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        guard unsafe strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
        let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return "\(String(decoding: bytes, as: UTF8.self)) (\(code))"
    }
}
