import Core

/// A second opinion on placement, written from the rules alone: it tries every subset, and shares no code with what it
/// judges.
struct PlacementOracle {
    /// A policy as plain words, and the JSON that says the same.
    struct Document {
        var allow: [String] = []
        var deny: [String] = []
        var require: [String] = []
        var count: Int?
        var distinct: String?
        var acknowledge: String?
        var order: [String] = []

        var json: String {
            let list = { (words: [String]) in "[" + words.map { "\"\($0)\"" }.joined(separator: ",") + "]" }
            let rules = [("allow", allow), ("deny", deny), ("require", require)].filter { !$0.1.isEmpty }
            var replicas: [String] = []
            if let count { replicas.append("\"count\":\(count)") }
            if let distinct { replicas.append("\"distinct\":\"\(distinct)\"") }
            if let acknowledge { replicas.append("\"acknowledge\":\(acknowledge)") }
            if !order.isEmpty { replicas.append("\"order\":\(list(order))") }
            let residency = rules.map { "\"\($0.0)\":\(list($0.1))" }.joined(separator: ",")
            return "{\"residency\":{\(residency)},\"replicas\":{\(replicas.joined(separator: ","))}}"
        }
    }

    let documents: [Document]
    let locations: [String]
    let count: Int

    /// All words that are true of a location.
    private func words(_ location: Location) -> Set<String> {
        var words: Set<String> = ["region:\(location.region)"]
        if let country = location.country { words.insert("country:\(country)") }
        if let provider = location.provider { words.insert("provider:\(provider)") }
        for jurisdiction in location.jurisdictions { words.insert("jurisdiction:\(jurisdiction)") }
        for certification in location.certifications {
            words.formUnion(["certification:\(certification)", certification])
        }
        return words
    }

    func mayHold(_ candidate: PlacementCandidate) -> Bool {
        let words = words(candidate.location)
        let known = Set(words.filter { $0.contains(":") }.map { $0.prefix { $0 != ":" } })
        for document in documents {
            if !document.allow.isEmpty && words.isDisjoint(with: document.allow) { return false }
            if !words.isDisjoint(with: document.deny) { return false }
            if !document.deny.allSatisfy({ known.contains($0.prefix { $0 != ":" }) }) { return false }
            if !words.isSuperset(of: document.require) { return false }
        }
        if !locations.isEmpty && !locations.contains(candidate.location.region) { return false }
        return candidate.state == .active || candidate.state == .offline
    }

    func mayTakeBytesNow(_ candidate: PlacementCandidate) -> Bool {
        mayHold(candidate) && candidate.state == .active && candidate.isHealthy
    }

    func differ(_ one: PlacementCandidate, _ other: PlacementCandidate) -> Bool {
        for document in documents {
            let attribute: (PlacementCandidate) -> String? =
                switch document.distinct {
                case "region": { $0.location.region }
                case "country": { $0.location.country }
                case "provider": { $0.location.provider }
                default: { $0.name }
                }
            guard let first = attribute(one), let second = attribute(other), first != second else { return false }
        }
        return one.name != other.name
    }

    func areDistinct(_ candidates: [PlacementCandidate]) -> Bool {
        for (index, one) in candidates.enumerated() {
            for other in candidates[(index + 1)...] where !differ(one, other) { return false }
        }
        return true
    }

    /// Where more than one replica has to differ, a backend that does not say where it stands is no choice.
    private func isUsable(_ candidate: PlacementCandidate) -> Bool {
        let location = candidate.location
        return count == 1
            || documents.allSatisfy {
                ($0.distinct != "country" || location.country != nil)
                    && ($0.distinct != "provider" || location.provider != nil)
            }
    }

    /// The most wanted of the largest distinct sets of at most `limit`, by trying all subsets; `kept` are wanted most.
    func best(_ candidates: [PlacementCandidate], limit: Int, keeping kept: Set<Int64> = []) -> [PlacementCandidate] {
        let ranked = candidates.filter(isUsable).sorted { one, other in
            let isKept = (kept.contains(one.backendID), kept.contains(other.backendID))
            guard isKept.0 == isKept.1 else { return isKept.0 }
            return preference(one).lexicographicallyPrecedes(preference(other))
        }
        var best: [Int] = []
        for subset in 0..<(1 << ranked.count) {
            let members = ranked.indices.filter { subset >> $0 & 1 == 1 }
            guard members.count <= limit, areDistinct(members.map { ranked[$0] }) else { continue }
            if members.count > best.count || (members.count == best.count && members.lexicographicallyPrecedes(best)) {
                best = members
            }
        }
        return best.map { ranked[$0] }
    }

    private func preference(_ candidate: PlacementCandidate) -> [String] {
        let orders = [documents[1].order, locations, documents[0].order]
        let places = orders.map { order in
            order.firstIndex(of: candidate.location.region).map { "\(Character(Unicode.Scalar(UInt8(65 + $0))))" }
                ?? "z"
        }
        return places + [candidate.state == .active ? "0" : "1", candidate.name]
    }
}

/// A generator of numbers that gives the same ones for the same seed (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
