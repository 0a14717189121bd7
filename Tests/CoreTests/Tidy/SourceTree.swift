import Foundation

/// One text file of the tree, with its tokens when it is Swift.
struct SourceFile {
    /// From the root of the tree, such as `Sources/Core/Auth/Crypto.swift`.
    let path: String
    let text: String
    let tokens: [SwiftToken]

    init(path: String, text: String) {
        self.path = path
        self.text = text
        tokens = path.hasSuffix(".swift") ? SwiftTokens.of(text) : []
    }

    var lineCount: Int { text.utf8.count { $0 == UInt8(ascii: "\n") } }

    /// The folder of `Sources/Core` it stands in: `Auth`; empty for a file beside the folders; nil outside of Core.
    var coreFolder: String? {
        let parts = path.split(separator: "/")
        guard parts.count >= 3, parts[0] == "Sources", parts[1] == "Core" else { return nil }
        return parts.count == 3 ? "" : String(parts[2])
    }

    func isUnder(_ folder: String) -> Bool { path.hasPrefix(folder + "/") }
}

/// The source tree that these tests were built from.
enum SourceTree {
    static let folders = ["Sources", "Tests", "Benchmarks", "nginx", "scripts"]
    private static let codeSuffixes = [".swift", ".py", ".sh", ".conf", ".h", ".modulemap"]
    private static let skippedFolders = ["__pycache__", "Vectors"]

    static var root: String {
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(4)
        return parts.joined(separator: "/")
    }

    /// Every file of code below `folders`: known suffixes, and files without one, which are scripts and nginx snippets.
    static func read() throws -> [SourceFile] {
        var files: [SourceFile] = []
        for folder in folders {
            guard let walk = FileManager.default.enumerator(atPath: root + "/" + folder) else { continue }
            while let path = walk.nextObject() as? String {
                let parts = path.split(separator: "/")
                if parts.contains(where: { $0.hasPrefix(".") || skippedFolders.contains(String($0)) }) { continue }
                guard let name = parts.last, codeSuffixes.contains(where: name.hasSuffix) || !name.contains("."),
                    walk.fileAttributes?[.type] as? FileAttributeType == .typeRegular
                else { continue }
                let full = "\(root)/\(folder)/\(path)"
                guard let bytes = FileManager.default.contents(atPath: full) else {
                    throw CocoaError(.fileReadUnknown, userInfo: [NSFilePathErrorKey: full])
                }
                files.append(SourceFile(path: "\(folder)/\(path)", text: String(decoding: bytes, as: UTF8.self)))
            }
        }
        return files.sorted { $0.path < $1.path }
    }
}
