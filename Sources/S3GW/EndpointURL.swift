import Core

/// The address of an s3 store: `https://host[:port]` and no more.
enum EndpointURL {
    private static let schemes = ["https://", "http://"]

    /// Returns what is wrong with `text`, nil when nothing is.
    ///
    /// Plain http is for this machine only unless asked for.
    static func problem(_ text: String, allowPlainHTTP: Bool) -> String? {
        let url = trimmed(text)
        guard let scheme = schemes.first(where: url.hasPrefix) else {
            return "An endpoint begins with https:// (or http:// on this machine)."
        }
        let authority = Array(url.utf8.dropFirst(scheme.utf8.count))
        guard let (host, port) = split(authority), isHost(host) else {
            return "An endpoint is https://host or https://host:port, without user, path or query."
        }
        if let port, DecimalNumber.parse(port).map({ (1...65535).contains($0) }) != true {
            return "An endpoint's port is a number from 1 to 65535."
        }
        guard scheme == "https://" || allowPlainHTTP || isLoopback(host) else {
            return "Plain http leaves everything readable on the way; use https, or say --allow-plain-http."
        }
        return nil
    }

    /// Without a slash at the end.
    static func trimmed(_ text: String) -> String { text.hasSuffix("/") ? String(text.dropLast()) : text }

    /// Returns host and port; an IPv6 address keeps its brackets.
    private static func split(_ authority: [UInt8]) -> (host: [UInt8], port: [UInt8]?)? {
        let colon: Int?
        if authority.first == UInt8(ascii: "[") {
            guard let end = authority.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            guard end + 1 < authority.count else { return (authority, nil) }
            guard authority[end + 1] == UInt8(ascii: ":") else { return nil }
            colon = end + 1
        } else {
            colon = authority.firstIndex(of: UInt8(ascii: ":"))
        }
        guard let colon else { return (authority, nil) }
        return (Array(authority[..<colon]), Array(authority[(colon + 1)...]))
    }

    private static func isHost(_ host: [UInt8]) -> Bool {
        guard host.first != UInt8(ascii: "[") else {
            let address = host.dropFirst().dropLast()
            return address.count > 1 && address.allSatisfy { Hex.value($0) != nil || $0 == 0x3A || $0 == 0x2E }
        }
        return (1...253).contains(host.count)
            && host.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D
                    || $0 == 0x2E || $0 == 0x5F
            }
    }

    private static func isLoopback(_ host: [UInt8]) -> Bool {
        let name = String(decoding: host, as: UTF8.self)
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        let isIPv4 = parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
        return name == "localhost" || name.hasSuffix(".localhost") || name == "[::1]" || (isIPv4 && parts[0] == "127")
    }
}
