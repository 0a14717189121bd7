/// Which words may describe where a backend stands.
///
/// Policies and backends are checked by the same rules, so that a rule never misses a backend for its spelling.
extension Location {
    package static let maximumWordBytes = 63

    /// Region labels: letters, digits, `-`, `_` and `.`; the comma separates them in a LocationConstraint.
    package static func isRegionLabel(_ text: String) -> Bool { isWord(text) { isUpper($0) || isLower($0) } }

    /// Providers and certifications: `a-z`, digits, `-`, `_` and `.`.
    package static func isLowerCaseWord(_ text: String) -> Bool { isWord(text, letters: isLower) }

    /// Jurisdictions, such as `EU` or `US-CA`: `A-Z`, digits, `-`, `_` and `.`.
    package static func isJurisdiction(_ text: String) -> Bool { isWord(text, letters: isUpper) }

    /// An assigned or user-assigned code of ISO 3166-1 alpha-2, upper case.
    package static func isCountry(_ text: String) -> Bool { assignedCountries.contains(text) || isUserAssigned(text) }

    /// What a country must be, in words.
    package static let countryRule = "two upper-case letters of ISO 3166-1, such as FI"

    /// The officially assigned codes (ISO 3166-1:2020).
    private static let assignedCountries = Set(
        """
        AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
        CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO \
        FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE \
        JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO \
        MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW \
        PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM \
        TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
        """.split(separator: " ").map(String.init))

    /// AA, QM to QZ, XA to XZ and ZZ are free for anybody's use; XK is in use for Kosovo.
    private static func isUserAssigned(_ text: String) -> Bool {
        let letters = Array(text.utf8)
        guard letters.count == 2, letters.allSatisfy(isUpper) else { return false }
        return switch letters[0] {
        case UInt8(ascii: "X"): true
        case UInt8(ascii: "Q"): letters[1] >= UInt8(ascii: "M")
        case UInt8(ascii: "A"), UInt8(ascii: "Z"): letters[1] == letters[0]
        default: false
        }
    }

    private static func isWord(_ text: String, letters: (UInt8) -> Bool) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last, text.utf8.count <= maximumWordBytes else {
            return false
        }
        func isAlphanumeric(_ byte: UInt8) -> Bool { letters(byte) || (0x30...0x39).contains(byte) }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && text.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F }
    }

    private static func isUpper(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte) }
    private static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) }
}
