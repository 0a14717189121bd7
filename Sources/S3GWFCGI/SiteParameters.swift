import Core
import Logging

/// Reads the `S3GW_*` parameters that nginx sends for a site, and remembers what it read.
///
/// They are the same for all requests of a site, so they are parsed once and compared as raw bytes from then on. A
/// parameter that is unknown or bad is an operator's mistake: every request of that site is refused with
/// `InternalError`, and the log says once what is wrong.
struct SiteParameters {
    /// What a site has when nginx does not say.
    struct Defaults: Sendable {
        let region: String
    }

    /// More sites than one process meets between two of the same.
    private static let maximumRemembered = 16
    private static let prefix = Array("S3GW_".utf8)

    private struct Known {
        let raw: [UInt8]
        let result: Result<SiteSettings, S3Error>
    }

    private let defaults: Defaults
    private var known: [Known] = []
    private let log = Logger(label: "s3gw.site")

    init(defaults: Defaults) { self.defaults = defaults }

    /// Returns the settings for `raw`: the parameters of one request, each as `NAME=value` with a NUL behind it.
    mutating func settings(raw: [UInt8]) throws(S3Error) -> SiteSettings {
        if let found = known.first(where: { $0.raw == raw }) { return try found.result.get() }
        let result: Result<SiteSettings, S3Error>
        do throws(S3Error) { result = .success(try parse(raw)) } catch {
            log.error("the site's parameters in nginx are wrong", metadata: ["error": "\(error.cause ?? "")"])
            result = .failure(error)
        }
        if known.count >= Self.maximumRemembered { known.removeFirst() }
        known.append(Known(raw: raw, result: result))
        return try result.get()
    }

    private func parse(_ raw: [UInt8]) throws(S3Error) -> SiteSettings {
        var settings = SiteSettings(region: defaults.region)
        for entry in raw.split(separator: 0) {
            let equals = entry.firstIndex(of: UInt8(ascii: "=")) ?? entry.endIndex
            let name = String(decoding: entry[..<equals], as: UTF8.self)
            let value = String(decoding: entry[equals...].dropFirst(), as: UTF8.self)
            switch name {
            // An nginx variable that nobody set is empty.
            case "S3GW_REGION", "S3GW_DOMAIN", "S3GW_MAX_PUT_SIZE", "S3GW_NEAR", "S3GW_SIGV2", "S3GW_HANDOFF":
                if !value.isEmpty { try set(name, value, &settings) }
            default:
                throw S3Error(
                    .internalError,
                    cause:
                        "unknown parameter \(name); known are S3GW_REGION, S3GW_DOMAIN, S3GW_MAX_PUT_SIZE, S3GW_NEAR, "
                        + "S3GW_SIGV2, S3GW_HANDOFF")
            }
        }
        return settings
    }

    private func set(_ name: String, _ value: String, _ settings: inout SiteSettings) throws(S3Error) {
        switch name {
        case "S3GW_REGION":
            guard ConfigurationKey.isRegion(value) else {
                throw S3Error(.internalError, cause: "S3GW_REGION may be 1 to 64 of a-z, 0-9 and -")
            }
            settings.region = value
        case "S3GW_DOMAIN":
            let domains = value.utf8.split { $0 == UInt8(ascii: ",") || $0 == 0x20 }.map(Array.init)
            guard domains.allSatisfy(Self.isDomain) else {
                throw S3Error(.internalError, cause: "S3GW_DOMAIN may be host names, separated by commas, without port")
            }
            settings.domains = domains.map { String(decoding: $0.map(Self.lowerCased), as: UTF8.self) }
        case "S3GW_NEAR":
            do throws(PolicyError) { settings.near = try LocationSelector.near(value, at: name) } catch {
                throw S3Error(.internalError, cause: "\(error)")
            }
        case "S3GW_HANDOFF":
            let names = value.split(separator: " ").map(String.init)
            guard names.allSatisfy(PhysicalBucketNaming.isBackendName) else {
                throw S3Error(.internalError, cause: "S3GW_HANDOFF may be names of backends, separated by spaces")
            }
            settings.handOffBackends = Set(names)
        case "S3GW_SIGV2":
            guard value == "on" || value == "off" else {
                throw S3Error(.internalError, cause: "S3GW_SIGV2 may be on or off")
            }
            settings.allowsSignatureV2 = value == "on"
        default:
            guard let size = Self.bytes(value) else {
                throw S3Error(
                    .internalError, cause: "S3GW_MAX_PUT_SIZE may be a number of bytes, or one with k, m or g")
            }
            settings.maximumPutSizeBytes = size
        }
    }

    static func lowerCased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

    private static func isDomain(_ bytes: [UInt8]) -> Bool {
        bytes.count <= 253 && bytes.first != UInt8(ascii: ".")
            && bytes.map(lowerCased).allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")
                    || byte == UInt8(ascii: ".")
            }
    }

    /// Reads a size as nginx writes it: `5368709120`, `5242880k`, `5120m`, `5g`.
    private static func bytes(_ text: String) -> Int64? {
        var digits = Array(text.utf8)
        let shifts: [UInt8: Int] = [UInt8(ascii: "k"): 10, UInt8(ascii: "m"): 20, UInt8(ascii: "g"): 30]
        var shift = 0
        if let last = digits.last, let unit = shifts[lowerCased(last)] {
            shift = unit
            digits.removeLast()
        }
        guard let number = DecimalNumber.parse(digits) else { return nil }
        let (size, overflow) = Int64(number).multipliedReportingOverflow(by: 1 << Int64(shift))
        return overflow || size == 0 ? nil : size
    }
}
