import Core
import Testing

@Suite struct ReplicaChoiceTests {
    private func candidate(
        healthy: Bool = true, distance: Int = 0, latency: Int64 = 1000, inFlight: Int = 0
    ) -> ReadCandidate {
        ReadCandidate(isHealthy: healthy, distance: distance, latencyMicroseconds: latency, inFlight: inFlight)
    }

    private func order(_ candidates: ReadCandidate...) -> [Int] { ReplicaChoice.order(candidates) }

    @Test func `health goes before distance, distance before latency, latency before load`() {
        #expect(order(candidate(healthy: false), candidate(distance: 5, latency: 9_000_000, inFlight: 99)) == [1, 0])
        #expect(order(candidate(distance: 1, latency: 1), candidate(latency: 500_000)) == [1, 0])
        #expect(order(candidate(latency: 3000), candidate(latency: 1000)) == [1, 0])
        #expect(order(candidate(inFlight: 1), candidate()) == [1, 0])
    }

    @Test func `a busy fast backend is left for an idle slower one when it would take longer`() {
        #expect(order(candidate(latency: 1000, inFlight: 2), candidate(latency: 2900)) == [1, 0])
        #expect(order(candidate(latency: 1000, inFlight: 2), candidate(latency: 3100)) == [0, 1])
    }

    @Test func `one that nobody measured lately is tried, and equals stay in their order`() {
        #expect(order(candidate(latency: 1), candidate(latency: 0, inFlight: 3)) == [1, 0])
        #expect(order(candidate(latency: 0, inFlight: 1), candidate(latency: 0)) == [1, 0])
        #expect(order(candidate(), candidate(), candidate()) == [0, 1, 2])
    }

    @Test func `the order is whole and strict whatever the numbers are`() {
        let numbers: [Int64] = [0, 1, 1000, .max]
        var all: [ReadCandidate] = []
        for healthy in [true, false] {
            for distance in [0, 1] {
                for latency in numbers {
                    for inFlight in [0, 7] {
                        all.append(
                            candidate(healthy: healthy, distance: distance, latency: latency, inFlight: inFlight))
                    }
                }
            }
        }
        let order = ReplicaChoice.order(all)
        #expect(order.sorted() == Array(all.indices))
        #expect(ReplicaChoice.order(order.map { all[$0] }) == Array(all.indices))
        #expect(ReplicaChoice.order([]) == [])
    }

    private static let helsinki = Location(region: "fi-hel-1", country: "FI", jurisdictions: ["EU", "EEA"])

    @Test(arguments: [
        ("", 0), ("region:fi-hel-1", 0), ("region:fi-hel-2, country:FI", 1),
        ("region:fi-hel-2,country:SE jurisdiction:EU", 2), ("country:DE", 1), ("country:DE,provider:own", 2),
    ]) func `distance is the place of the first selector that fits`(text: String, distance: Int) throws {
        let near = try LocationSelector.near(text, at: "S3GW_NEAR")
        #expect(ReplicaChoice.distance(of: Self.helsinki, near: near) == distance)
    }

    @Test(arguments: ["FI", "country:fi", "land:FI", "region:", String(repeating: "country:FI,", count: 17)])
    func `what is no list of selectors is refused by name`(text: String) {
        let error = #expect(throws: PolicyError.self) { try LocationSelector.near(text, at: "S3GW_NEAR") }
        #expect("\(error.map(String.init(describing:)) ?? "")".contains("S3GW_NEAR"))
    }
}
