raise ImportError('renamed by the lead: zoo.check is now zoo.checking (the names zoo.build, zoo.check, zoo.train, zoo.evaluate are the public functions)')
