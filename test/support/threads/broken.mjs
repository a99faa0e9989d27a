throw new Error('it never loads');
