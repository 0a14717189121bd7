/// What must differ between two replicas, as two words: two places may go together when both words differ.
///
/// A policy has at most two such wishes, the tenant's and the bucket's. Where there are fewer, the backend's own number
/// stands in for the missing one, since two replicas never share a backend.
struct DistinctPlace: Hashable, Sendable {
    let left: String
    let right: String

    /// Nil when the location does not say what has to differ: an unknown attribute never satisfies a rule.
    init?(of candidate: PlacementCandidate, distinct: [PolicyDocument.Distinctness]) {
        let words = distinct.compactMap { Self.word($0, candidate.location) }
        guard words.count == distinct.count else { return nil }
        let backend = String(candidate.backendID)
        left = words.first ?? backend
        right = words.count > 1 ? words[1] : backend
    }

    func differs(from other: DistinctPlace) -> Bool { left != other.left && right != other.right }

    private static func word(_ attribute: PolicyDocument.Distinctness, _ location: Location) -> String? {
        switch attribute {
        case .region: location.region
        case .country: location.country
        case .provider: location.provider
        case .none, .backend: ""
        }
    }
}

/// How many places can stand together when all differ.
///
/// A place is an edge between its two words, so a choice is a matching in a bipartite graph, and the largest is found
/// exactly (augmenting paths, Kuhn's algorithm).
enum DistinctSelection {
    static func largestCount(_ places: [DistinctPlace]) -> Int {
        let edges = Dictionary(grouping: places, by: \.left).mapValues { $0.map(\.right) }
        var partner: [String: String] = [:]
        func augment(_ left: String, _ visited: inout Set<String>) -> Bool {
            for right in edges[left] ?? [] where visited.insert(right).inserted {
                if partner[right].map({ augment($0, &visited) }) ?? true {
                    partner[right] = left
                    return true
                }
            }
            return false
        }
        var count = 0
        for left in edges.keys {
            var visited: Set<String> = []
            if augment(left, &visited) { count += 1 }
        }
        return count
    }
}
