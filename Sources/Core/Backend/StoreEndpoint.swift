/// Where an S3 store listens: `https://host[:port]`, or `http://` on loopback, or `http+insecure://` anywhere.
///
/// `http+insecure` is plain HTTP that the operator asked for in so many words (`--allow-plain-http`); a plain `http` URL
/// of another machine is refused, because object bytes and signatures would cross the network in the clear.
package struct StoreEndpoint: Equatable, Sendable {
    package let isHTTPS: Bool
    /// Lower case; an IPv6 address keeps its brackets.
    package let host: String
    /// Nil is the scheme's own.
    package let port: Int?

    /// Plain HTTP to any machine.
    package static let plainScheme = "http+insecure://"
    /// Each with whether it is TLS, and whether it may leave this machine.
    private static let schemes = [("https://", true, true), ("http://", false, false), (plainScheme, false, true)]
    private static let longestHost = 253

    /// Throws `InvalidArgument` that says what is wrong; user names, paths and queries are.
    package init(parsing text: String) throws(S3Error) {
        guard let scheme = Self.schemes.first(where: { text.hasPrefix($0.0) }) else {
            throw Self.refusal("An endpoint begins with https:// or http://")
        }
        var rest = Array(text.utf8.dropFirst(scheme.0.utf8.count))
        if rest.last == UInt8(ascii: "/") { rest.removeLast() }
        let portStart = rest.lastIndex(of: UInt8(ascii: ":")).flatMap { colon in
            rest[colon...].contains(UInt8(ascii: "]")) ? nil : colon
        }
        var port: Int?
        if let portStart {
            guard let number = DecimalNumber.parse(Array(rest[(portStart + 1)...])), (1...65535).contains(number) else {
                throw Self.refusal("A port is 1 to 65535")
            }
            port = number
            rest.removeLast(rest.count - portStart)
        }
        guard Self.isHost(rest) else { throw Self.refusal("An endpoint is a host name and nothing after it") }
        isHTTPS = scheme.1
        host = String(decoding: rest.map(ASCII.lower), as: UTF8.self)
        self.port = port == (scheme.1 ? 443 : 80) ? nil : port
        guard scheme.2 || isLoopback else {
            throw Self.refusal("Plain http leaves everything readable on the way: use https or --allow-plain-http")
        }
    }

    /// What the `Host` header says when `bucket` stands in it, or nil for path style.
    func authority(bucket: String?) -> String {
        (bucket.map { "\($0)." } ?? "") + host + (port.map { ":\($0)" } ?? "")
    }

    var scheme: String { isHTTPS ? "https" : "http" }

    private var isLoopback: Bool {
        // RFC 6761 6.3: names below localhost are this machine, and libcurl resolves them so itself.
        if host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]" { return true }
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
        return numbers.count == 4 && numbers[0] == "127"
            && numbers.allSatisfy { $0.utf8.count <= 3 && (DecimalNumber.parse(Array($0.utf8)) ?? 256) <= 255 }
    }

    /// A DNS name or IPv4 address, or an IPv6 address in brackets.
    private static func isHost(_ bytes: [UInt8]) -> Bool {
        guard (1...longestHost).contains(bytes.count) else { return false }
        if bytes.first == UInt8(ascii: "["), bytes.last == UInt8(ascii: "]") {
            return bytes.count > 3
                && bytes[1..<bytes.count - 1].allSatisfy { Hex.value($0) != nil || $0 == 0x3A || $0 == 0x2E }
        }
        return bytes.first != UInt8(ascii: ".") && bytes.map(ASCII.lower).allSatisfy(hostBytes.contains)
    }

    private static let hostBytes = Set("abcdefghijklmnopqrstuvwxyz0123456789-._".utf8)

    private static func refusal(_ reason: String) -> S3Error {
        S3Error(.invalidArgument, "\(reason).").detail("ArgumentName", "endpoint")
    }
}
