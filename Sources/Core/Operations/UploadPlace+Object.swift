extension UploadPlace {
    /// Where the object will be, and under which key its native upload runs.
    var object: PhysicalObject { PhysicalObject(bucket: physicalBucket, key: physicalKey) }
}
