import ArgumentParser
import Core

/// What may be said of where a backend stands.
enum LocationOptions {
    /// Throws a wrong usage for what no rule could ever name.
    static func check(_ location: Location) throws(ValidationError) {
        guard Location.isRegionLabel(location.region) else {
            throw ValidationError("A region label is 1 to 63 letters, digits, - . and _, such as fi-hel-1.")
        }
        guard location.country.map(Location.isCountry) ?? true else {
            throw ValidationError("A country is \(Location.countryRule).")
        }
        guard location.jurisdictions.allSatisfy(Location.isJurisdiction) else {
            throw ValidationError("A jurisdiction is upper-case letters and digits, such as EU.")
        }
        guard location.provider.map(Location.isLowerCaseWord) ?? true,
            location.certifications.allSatisfy(Location.isLowerCaseWord)
        else {
            throw ValidationError("Providers and certifications are lower-case letters, digits, - . and _.")
        }
    }
}
