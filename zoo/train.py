raise ImportError('renamed by the lead: zoo.train is now zoo.training (the names zoo.build, zoo.check, zoo.train, zoo.evaluate are the public functions)')
