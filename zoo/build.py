raise ImportError('renamed by the lead: zoo.build is now zoo.builder (the names zoo.build, zoo.check, zoo.train, zoo.evaluate are the public functions)')
