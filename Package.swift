// swift-tools-version: 6.2
import PackageDescription

/// Swift 6 mode, every existential spelled, every import private unless said otherwise, every unsafe call marked.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "s3gateway",
    products: [
        .executable(name: "s3gw-fcgi", targets: ["S3GWFCGI"]),
        .executable(name: "s3gw-worker", targets: ["Worker"]),
        .executable(name: "s3gw", targets: ["S3GW"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .systemLibrary(name: "CFastCGI", pkgConfig: "fcgi", providers: [.apt(["libfcgi-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CProcessor"),
        .target(
            name: "Core",
            dependencies: [
                "CLinux", "CProcessor", "CSQLite", "CCurl", "COpenSSL", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "CommandLineSupport",
            dependencies: ["Core", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: strict),
        .executableTarget(
            name: "S3GWFCGI",
            dependencies: [
                "Core", "CommandLineSupport", "CFastCGI",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "Worker",
            dependencies: [
                "Core", "CommandLineSupport", .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "S3GW",
            dependencies: [
                "Core", "CommandLineSupport", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        // A target of this package and not one of its own: it measures what only `package` access reaches.
        .executableTarget(
            name: "MicroBenchmarks", dependencies: ["Core"], path: "Benchmarks/Micro", swiftSettings: strict),
        .testTarget(
            name: "CoreTests", dependencies: ["Core"], exclude: ["Vectors"], swiftSettings: strict),
        .testTarget(name: "S3GWFCGITests", dependencies: ["S3GWFCGI", "Core"], swiftSettings: strict),
        .testTarget(name: "S3GWTests", dependencies: ["S3GW", "Core"], swiftSettings: strict),
    ]
)
