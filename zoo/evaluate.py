raise ImportError('renamed by the lead: zoo.evaluate is now zoo.evaluation (the names zoo.build, zoo.check, zoo.train, zoo.evaluate are the public functions)')
