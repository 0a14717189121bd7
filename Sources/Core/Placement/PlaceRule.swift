/// Where one replica would stand, as far as the rules about several of them go.
struct Place: Hashable, Sendable {
    let distinct: DistinctPlace
    /// What it would share with all others, a word for each `within`.
    let group: [String]
    /// A word for each `spread`.
    let spread: [String]
}

/// Which places may hold the replicas of one version together.
///
/// Every rule holds for each part of a set that keeps it: replicas may be made one after the other.
struct PlaceRule: Hashable, Sendable {
    let replicaCount: Int
    let distinct: [PolicyDocument.Distinctness]
    let within: [PolicyDocument.Attribute]
    let spread: [PolicyDocument.Spread]

    /// One replica differs from no other and shares nothing with any: then nothing has to be known.
    init(_ policy: EffectivePolicy) {
        replicaCount = policy.replicaCount
        distinct = policy.replicaCount > 1 ? policy.distinct : []
        within = policy.replicaCount > 1 ? policy.within : []
        spread = policy.replicaCount > 1 ? policy.spread : []
    }

    /// Two replicas on different backends may always stand together.
    private var isFree: Bool { distinct.isEmpty && within.isEmpty && spread.isEmpty }

    /// Returns nil when the location does not say what the rule has to know.
    func place(of candidate: PlacementCandidate) -> Place? {
        guard let differing = DistinctPlace(of: candidate, distinct: distinct) else { return nil }
        let group = within.compactMap { candidate.location.word($0) }
        let words = spread.compactMap { candidate.location.word($0.attribute) }
        guard group.count == within.count, words.count == spread.count else { return nil }
        return Place(distinct: differing, group: group, spread: words)
    }

    /// What the rule has to know of a location, in words.
    var attributes: [String] {
        let wanted = distinct.map(\.rawValue) + within.map(\.rawValue) + spread.map(\.attribute.rawValue)
        return wanted.reduce(into: []) { list, next in if !list.contains(next) { list.append(next) } }
    }

    /// Tells whether `place` may stand beside all of `kept`, which may stand together.
    func admits(_ place: Place, beside kept: [Place]) -> Bool {
        guard kept.allSatisfy({ $0.distinct.differs(from: place.distinct) && $0.group == place.group }) else {
            return false
        }
        return spread.indices.allSatisfy { index in
            let words = Set(kept.map { $0.spread[index] })
            return !words.contains(place.spread[index]) || kept.count - words.count < allowedRepeats(index)
        }
    }

    /// How many replicas may stand where another one stands already, in words of that spread.
    private func allowedRepeats(_ index: Int) -> Int { replicaCount - min(spread[index].count, replicaCount) }

    /// Returns how many places can stand together, at most `replicaCount`.
    func largestCount(_ places: [Place]) -> Int {
        isFree ? min(places.count, replicaCount) : choose(places, count: replicaCount).count
    }

    /// Returns the positions of those that can be part of a full number of replicas: with `within`, those whose group has
    /// enough places.
    func viable(_ places: [Place]) -> [Int] {
        guard !within.isEmpty else { return Array(places.indices) }
        let groups = Dictionary(grouping: places.indices) { places[$0].group }
        let large = groups.filter { largestCount($0.value.map { places[$0] }) >= replicaCount }
        return places.indices.filter { large[places[$0].group] != nil }
    }

    /// Returns the positions of up to `count` places that may stand together and beside `taken`: as many as can be, and
    /// among those choices the one that prefers earlier places.
    func choose(_ places: [Place], count: Int, besides taken: [Place] = []) -> [Int] {
        let open = places.indices.filter { admits(places[$0], beside: taken) }
        guard !isFree else { return Array(open.prefix(count)) }
        var best: [Int] = []
        let groups = Dictionary(grouping: open) { places[$0].group }
        for members in groups.values {
            let found = PlaceSearch(rule: self, places: places).best(of: members, count: count, besides: taken)
            let isBetter =
                found.count > best.count || (found.count == best.count && found.lexicographicallyPrecedes(best))
            if isBetter { best = found }
        }
        return best
    }

    /// An upper bound of how many of `open` can be added to `kept`; exact when at most one kind of rule is there.
    func bound(_ open: [Place], beside kept: [Place]) -> Int {
        var bound = distinct.isEmpty ? open.count : DistinctSelection.largestCount(open.map(\.distinct))
        for index in spread.indices {
            let words = Set(kept.map { $0.spread[index] })
            let fresh = Set(open.map { $0.spread[index] }).subtracting(words).count
            bound = min(bound, fresh + allowedRepeats(index) - (kept.count - words.count))
        }
        return bound
    }
}

/// The search for the most wanted set of places.
///
/// It takes the earliest place that leaves enough others, and goes back only where two kinds of rule meet.
private struct PlaceSearch {
    let rule: PlaceRule
    let places: [Place]

    /// Steps after which a search that goes back and forth gives up one replica: it bounds the time of hostile policies.
    private static let maximumSteps = 20_000

    func best(of open: [Int], count: Int, besides taken: [Place]) -> [Int] {
        var wanted = min(count, rule.bound(open.map { places[$0] }, beside: taken))
        while wanted > 0 {
            var steps = 0
            if let found = search(open[...], wanted, taken, &steps) { return found }
            wanted -= 1
        }
        return []
    }

    private func search(_ open: ArraySlice<Int>, _ missing: Int, _ kept: [Place], _ steps: inout Int) -> [Int]? {
        if missing == 0 { return [] }
        var rest = open
        while let index = rest.popFirst() {
            steps += 1
            guard steps < Self.maximumSteps, 1 + rest.count >= missing else { return nil }
            let beside = kept + [places[index]]
            let fitting = rest.filter { rule.admits(places[$0], beside: beside) }
            if missing == 1 { return [index] }
            guard rule.bound(fitting.map { places[$0] }, beside: beside) >= missing - 1 else { continue }
            if let others = search(fitting[...], missing - 1, beside, &steps) { return [index] + others }
        }
        return nil
    }
}

extension Location {
    fileprivate func word(_ attribute: PolicyDocument.Attribute) -> String? {
        switch attribute {
        case .region: region
        case .country: country
        case .provider: provider
        }
    }
}
