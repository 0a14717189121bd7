/// Where a backend stands: what residency rules speak about.
///
/// A missing attribute never satisfies a rule (DESIGN.md 6).
package struct Location: Hashable, Sendable, Codable {
    /// The operator's label, such as `fi-hel-1`; also what `LocationConstraint` names.
    package var region: String
    /// ISO 3166-1 alpha-2, upper case, such as `FI`.
    package var country: String?
    /// Such as `EU`.
    package var jurisdictions: [String]
    package var provider: String?
    /// Such as `iso27001`.
    package var certifications: [String]

    package init(
        region: String, country: String? = nil, jurisdictions: [String] = [], provider: String? = nil,
        certifications: [String] = []
    ) {
        self.region = region
        self.country = country
        self.jurisdictions = jurisdictions
        self.provider = provider
        self.certifications = certifications
    }
}
