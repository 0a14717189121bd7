import Core

/// The address of an s3 store as an operator writes it: `https://host[:port]`, or `http://` for this machine.
enum EndpointURL {
    /// Returns what is wrong with `text`, nil when nothing is.
    ///
    /// Plain http is for this machine only unless asked for.
    static func problem(_ text: String, allowPlainHTTP: Bool) -> String? {
        // The stored spelling is what the flag makes; typed by hand it would be a way around the flag.
        guard !text.hasPrefix(StoreEndpoint.plainScheme) else { return "Write http:// and --allow-plain-http." }
        do throws(S3Error) {
            _ = try StoreEndpoint(parsing: stored(text, allowPlainHTTP: allowPlainHTTP))
            return nil
        } catch { return error.message }
    }

    /// The spelling in the database: without a slash at the end, and with the operator's leave in the scheme.
    static func stored(_ text: String, allowPlainHTTP: Bool) -> String {
        let url = text.hasSuffix("/") ? String(text.dropLast()) : text
        guard allowPlainHTTP, url.hasPrefix("http://") else { return url }
        return StoreEndpoint.plainScheme + url.dropFirst("http://".count)
    }
}
