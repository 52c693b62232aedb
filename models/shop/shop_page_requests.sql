select * from {{ shop_entity('page_requests') }}
