import ArgumentParser
import Core
import Foundation

/// Which of possibly several tenants' buckets is meant.
struct BucketChoice: ParsableArguments {
    @Option(help: ArgumentHelp("Whose, where several tenants use one name. Default: $S3GW_TENANT.", valueName: "name"))
    var tenant: String?

    private static let variable = "S3GW_TENANT"

    /// Returns the bucket and its owner.
    func find(_ name: String, in store: Store) throws -> (bucket: Bucket, tenant: Tenant) {
        let bucketName = try BucketName(validating: Array(name.utf8))
        if let tenant {
            let owner = try store.tenant(tenant)
            let bucket = try store.read { sql throws(S3Error) in try sql.bucket(tenantID: owner.id, name: bucketName) }
            guard let bucket else { throw Outcome.no("Tenant \(tenant) has no bucket \(name).") }
            return (bucket, owner)
        }
        let found = try store.read { sql throws(S3Error) in
            var found: [(bucket: Bucket, tenant: Tenant)] = []
            for bucket in try sql.buckets(named: bucketName) {
                if let owner = try sql.tenant(id: bucket.tenantID) { found.append((bucket, owner)) }
            }
            return found
        }
        if found.count > 1 {
            let wanted = ProcessInfo.processInfo.environment[Self.variable]
            if let choice = found.first(where: { $0.tenant.name == wanted }) { return choice }
            let owners = found.map(\.tenant.name).joined(separator: ", ")
            throw Outcome.usage("Several tenants have a bucket \(name) (\(owners)): say which with --tenant.")
        }
        guard let only = found.first else { throw Outcome.no("There is no bucket \(name).") }
        return only
    }
}
