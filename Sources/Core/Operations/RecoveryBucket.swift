/// The physical bucket on each backend that holds records of versions and sealed documents about the configuration.
///
/// Its name follows from the master key and the backend's name alone, so that a rebuild, which has nothing else, finds it.
package enum RecoveryBucket {
    /// What sealed documents are bound to, beside their name.
    package static let sealedTable = "documents"
    private static let purpose = "s3gw-recovery-bucket-1"

    /// The name under each master key, the active one first.
    package static func names(_ masterKeys: MasterKeys, backend: String) -> [String] {
        masterKeys.derived(purpose).map { key in
            PhysicalBucketNaming { Crypto.hmacSHA256(key: key, message: $0) }.recoveryName(
                backend: backend)
        }
    }
}
