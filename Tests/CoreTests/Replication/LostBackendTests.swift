import Core
import Foundation
import Testing

@Suite struct LostBackendTests {
    @Test func `what is to be removed from a lost backend ends without its store being asked`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"])
        try world.delete("cat.jpg")
        try world.set("de", .lost)
        #expect(try world.drain().removed == 2)
        #expect(try !world.hasRow(version))
        #expect(try world.contents("de").values.sorted() == ["meow"], "nobody asked the store")
        #expect(try world.contents("fi").isEmpty)
        try world.deleteBucket()
        #expect(try world.drain().bucketsRemoved == 2)
        #expect(try world.contents("de").values.sorted() == ["meow"])
    }

    @Test func `a copy on a lost backend is neither a source nor counted`() throws {
        let world = try ReplicationScenario()
        let version = try world.put("cat.jpg", "meow", present: ["fi", "de"], pending: ["fr"])
        let only = try world.put("dog.jpg", "woof", present: ["de"], pending: ["fi"])
        try world.set("de", .lost)
        let done = try world.drain()
        #expect(done.copied == 1 && done.removed == 1)
        #expect(try world.replicas(version) == ["fi": .present, "fr": .present])
        // The row stays as long as nothing better is there: the store may yet be found.
        #expect(try world.replicas(only) == ["de": .present, "fi": .pending, "fr": .pending])
    }
}
