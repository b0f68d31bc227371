-- The sum of a histogram may be more than 64 bits hold (some 5,000 lead times of half a century are): the sum is
-- sum_carry * 2^62 + sum_micros. Until 146,000 years are in it, sum_micros alone is the sum, and the version before
-- this one reads and adds to it as ever.

ALTER TABLE series ADD COLUMN sum_carry INTEGER NOT NULL DEFAULT 0;
