import ArgumentParser
import Core

/// `s3gw nginx`: what nginx has to know of the backends.
struct NginxCommand: ParsableCommand {
    static let configuration = CommandConfiguration.noun(
        "nginx", "Configuration for nginx that depends on the backends.",
        example: "s3gw nginx print locations > /etc/nginx/s3gw/handoff-locations.conf", [Print.self])

    func run() throws { throw verbIsMissing("nginx") }

    enum Level: String, CaseIterable, ExpressibleByArgument { case upstreams, locations }

    struct Print: ParsableCommand {
        static let configuration = CommandConfiguration.verb(
            "print", "Print the nginx configuration that lets nginx fetch small objects from the backends itself.",
            """
            `upstreams` belongs to nginx's http level, `locations` to the server block of the site. Print both again \
            when backends change, and reload nginx. Only s3 backends whose last probe found that they check If-Match \
            are in it; see docs/nginx.md, "Hand-off".
            """, examples: "s3gw nginx print upstreams", "s3gw nginx print locations")

        @Argument(help: "upstreams, for the http level, or locations, for the server level.") var level: Level
        @OptionGroup var options: StoreOptions

        func run() throws {
            try options.run { store in
                let backends = try store.read { sql throws(S3Error) in try sql.backends() }
                let able = try backends.compactMap(NginxBackend.init)
                let text = level == .upstreams ? NginxBackend.upstreams(able) : NginxBackend.locations(able)
                options.show(["configuration": .string(text)], text)
            }
        }
    }
}

/// One backend as nginx has to know it.
struct NginxBackend {
    let name: String
    let endpoint: StoreEndpoint
    let caFile: String

    /// Debian's file of the certificate authorities that the system trusts.
    private static let systemAuthorities = "/etc/ssl/certs/ca-certificates.crt"
    private static let head = "# Printed by `s3gw nginx print`: print it again when backends change.\n"

    /// Nil for a backend whose reads cannot be handed off.
    init?(_ record: BackendRecord) throws(S3Error) {
        guard record.kind == .s3, record.state != .lost, BackendAbilities.says("conditionalGet", record.abilities)
        else { return nil }
        name = record.name
        endpoint = try StoreEndpoint(parsing: record.endpoint)
        caFile = record.caFile ?? Self.systemAuthorities
    }

    private var scheme: String { endpoint.isHTTPS ? "https" : "http" }
    private var port: Int { endpoint.port ?? (endpoint.isHTTPS ? 443 : 80) }

    /// The name in a backend's certificate is its Host header without the port.
    private static let tlsName = """
        map $s3gw_host $s3gw_tls_name {
            "~^(?<s3gw_name_only>[^:]*)" $s3gw_name_only;
            default                      "";
        }

        """

    static func upstreams(_ backends: [NginxBackend]) -> String {
        head + (backends.contains { $0.endpoint.isHTTPS } ? tlsName : "")
            + backends.map { backend in
                """
                upstream s3gw_backend_\(backend.name) {
                    server \(backend.endpoint.host):\(backend.port) max_fails=0;
                    keepalive 64;
                }

                """
            }.joined()
    }

    static func locations(_ backends: [NginxBackend]) -> String {
        let names = backends.map(\.name).joined(separator: " ")
        return head + "set $s3gw_handoff \"\(names)\";\n" + backends.map(\.location).joined()
    }

    private var location: String {
        let tls = """
                proxy_ssl_trusted_certificate \(caFile);
                proxy_ssl_verify on;
                proxy_ssl_verify_depth 5;
                proxy_ssl_server_name on;
                proxy_ssl_name $s3gw_tls_name;

            """
        return """
            location @s3gw_backend_\(name) {
                include s3gw/s3gw-handoff.conf;
            \(endpoint.isHTTPS ? tls : "")    proxy_pass \(scheme)://s3gw_backend_\(name)$s3gw_target;
            }

            """
    }
}
