import Foundation
import Testing

/// The tree obeys its own rules (docs/ARCHITECTURE.md, CONTRIBUTING.md).
///
/// `TidyCheckerTests` shows that these can fail.
@Suite struct TidyTests {
    static let tree = Result { try SourceTree.read() }

    private func files() throws -> [SourceFile] { try Self.tree.get() }

    @Test func `the tree is the one these tests stand in`() throws {
        let paths = try files().map(\.path)
        #expect(paths.contains("Sources/Core/Gateway.swift"))
        #expect(paths.contains("Tests/CoreTests/TidyTests.swift"))
        #expect(paths.contains("scripts/build"))
    }

    @Test func `no file is longer than 500 lines`() throws { #expect(TidyRules.longFiles(try files()) == []) }

    @Test func `nothing traps on purpose and no error is dropped`() throws {
        #expect(TidyRules.trapsAndDroppedErrors(try files()) == [])
    }

    @Test func `Core knows threads and no tasks`() throws { #expect(TidyRules.concurrency(try files()) == []) }

    @Test func `a C library is imported privately, in the folder of its wrapper`() throws {
        #expect(TidyRules.cImports(try files()) == [])
    }

    @Test func `unchecked promises about threads stand in C wrappers`() throws {
        #expect(TidyRules.unsafeSharing(try files()) == [])
    }

    @Test func `nothing is public`() throws { #expect(TidyRules.publicWords(try files()) == []) }

    @Test func `error codes come from the table and grants from placement`() throws {
        #expect(TidyRules.guardedInitialisers(try files()) == [])
    }

    @Test func `no path of one machine is written down`() throws { #expect(TidyRules.machinePaths(try files()) == []) }

    @Test func `folders of Core know only what lies below them`() throws {
        let answer = Knowledge.check(try files())
        #expect(answer.findings == [])
        #expect(answer.unused == [], "these exceptions are needed no longer")
    }

    @Test func `the formatter has nothing to say`() throws {
        let lint = Process()
        lint.executableURL = URL(filePath: "/usr/bin/env")
        lint.currentDirectoryURL = URL(filePath: SourceTree.root)
        lint.arguments =
            ["swift", "format", "lint", "--strict", "--parallel", "--recursive", "Package.swift", "Sources", "Tests"]
        // A file, because a pipe's end could live on in a child that another test starts at the same time.
        let report = FileManager.default.temporaryDirectory.appending(path: "s3gw-lint-\(UUID().uuidString)")
        try Data().write(to: report)
        defer { try? FileManager.default.removeItem(at: report) }
        let output = try FileHandle(forWritingTo: report)
        lint.standardError = output
        lint.standardOutput = output
        try lint.run()
        lint.waitUntilExit()
        try output.close()
        #expect(String(decoding: try Data(contentsOf: report), as: UTF8.self) == "")
        #expect(lint.terminationStatus == 0)
    }
}
